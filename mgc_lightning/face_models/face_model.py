"""One linear face model, whatever its source: coefficients in, faces out."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_matrix
from torch import Tensor, nn

from mgc_lightning.coefficients import LIGHT_AMBIENT, CoefficientLayout, FaceCoefficients
from mgc_lightning.errors import MGCError
from mgc_lightning.face_models.model_data import FACE_MASK, RENDER_REGION, FaceModelData
from mgc_lightning.geometry.border import smooth_border
from mgc_lightning.geometry.mesh import vertex_normals
from mgc_lightning.structures import FaceMesh


class FaceModel(nn.Module):
    """Decode coefficients: S = mean + B_id a + B_exp b, T = clip(mean_T + B_tex d, 0, 1) (MGCNet sec. 3).

    Frame: x viewer's right, y up, z toward the viewer, mm. Arrays are buffers, moved by `.to()`, and are not
    part of the state dict: a checkpoint names its face model by `fingerprint` and carries no licensed data.

    Args:
        data: the model's arrays.
        level: 0 the control mesh, 1 the subdivided mesh.

    Attributes:
        mean: (N, 3) mm.
        identity_basis: (I, N, 3) mm per standard deviation.
        expression_basis: (E, N, 3) mm per unit.
        expression_sigma: (E,) the prior's standard deviations: penalise (b / sigma)^2.
        albedo_mean: (N, 3) display-space RGB.
        albedo_basis: (A, N, 3) per standard deviation.
        faces: (F, 3) int64, outward.
        landmarks68_index: (68, K) int64, iBUG order, with `landmarks68_weights` (68, K).
        landmarks7_index: (7, L) int64, the NoW points, with `landmarks7_weights` (7, L).
        region_masks: (R, N) bool, rows named by `region_names`.
        main_pose: (6,) rz, ry, rx, tx, ty, tz for the default camera.
        fingerprint: sha256 of the geometry, the same at every level.
        notes: what else the model's file says in words.
        vertex_extras: the source's own per-vertex arrays (..., N) on the CPU, e.g. the procedural skin's fields.

    Raises:
        MGCError: if the model does not have the level.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> model = load_face_model("makehuman", level=0)
        >>> mesh = model(model.mean_coefficients(batch_size=2))
        >>> mesh.verts.shape
        torch.Size([2, 4032, 3])
    """

    mean: Float[Tensor, "N 3"]
    identity_basis: Float[Tensor, "I N 3"]
    expression_basis: Float[Tensor, "E N 3"]
    expression_sigma: Float[Tensor, " E"]
    albedo_mean: Float[Tensor, "N 3"]
    albedo_basis: Float[Tensor, "A N 3"]
    faces: Int[Tensor, "F 3"]
    landmarks68_index: Int[Tensor, "68 K"]
    landmarks68_weights: Float[Tensor, "68 K"]
    landmarks7_index: Int[Tensor, "7 L"]
    landmarks7_weights: Float[Tensor, "7 L"]
    region_masks: Bool[Tensor, "R N"]
    face_region_index: Int[Tensor, " F2"]
    main_pose: Float[Tensor, " 6"]

    def __init__(self, data: FaceModelData, level: int = 0) -> None:
        super().__init__()
        if not 0 <= level < data.levels:
            raise MGCError(f"Face model `{data.info.name}` has levels 0..{data.levels - 1}, got level={level}")
        self.name = data.info.name
        self.level = level
        self.licence = data.info.licence
        self.units = data.info.units
        self.expression_names = list(data.info.expression_names)
        self.region_names = list(data.info.region_names)
        self.fingerprint = data.fingerprint()
        self.layout = CoefficientLayout(
            identity=len(data.identity_basis),
            albedo=len(data.albedo_basis),
            expression=len(data.expression_basis),
        )
        self.notes = dict(data.info.notes)
        self.vertex_extras = _select_extras(data, level)
        self._register_geometry(data)
        self._register_attributes(data)

    def _register(self, name: str, array: np.ndarray) -> None:
        kind = {"f": torch.float32, "i": torch.int64, "u": torch.int64, "b": torch.bool}[array.dtype.kind]
        tensor = torch.from_numpy(np.ascontiguousarray(array)).to(kind, copy=True)
        self.register_buffer(name, tensor, persistent=False)

    def _register_geometry(self, data: FaceModelData) -> None:
        subdivide = self.level > 0 and data.subdivision is not None
        for name in ("mean", "identity_basis", "expression_basis"):
            array = getattr(data, name)
            self._register(name, _apply(data.subdivision, array) if subdivide else array)
        self._register("faces", data.subdivided_faces if subdivide else data.faces)  # type: ignore[arg-type]
        self._register("expression_sigma", data.expression_sigma)
        self._register("main_pose", data.main_pose)
        for name in ("landmarks68", "landmarks7"):
            index, weights = getattr(data, f"{name}_index"), getattr(data, f"{name}_weights")
            if self.level == 0 and data.subdivision is not None:
                index, weights = _pull_back(data.subdivision, index, weights)
            self._register(f"{name}_index", index)
            self._register(f"{name}_weights", weights)

    def _register_attributes(self, data: FaceModelData) -> None:
        rows = data.attribute_index(self.level)
        self._register("albedo_mean", data.albedo_mean[rows])
        self._register("albedo_basis", data.albedo_basis[:, rows])
        self._register("region_masks", data.regions[:, rows])
        faces = self.faces.numpy()
        render = data.regions[:, rows][self.region_names.index(RENDER_REGION)]
        if data.info.smooth_border:
            render = smooth_border(faces, render)
        self._register("face_region_index", np.flatnonzero(render[faces].all(axis=1)))

    @property
    def num_verts(self) -> int:
        """Number of vertices at this level."""
        return self.mean.shape[0]

    def shape(
        self, identity: Float[Tensor, "*batch I"], expression: Float[Tensor, "*batch E"] | None = None
    ) -> Float[Tensor, "*batch N 3"]:
        """Give vertices in mm, model frame; neutral where no expression is given.

        Raises:
            ValueError: if a coefficient vector has the wrong length.
        """
        flat = self.mean.flatten() + _combine("identity", identity, self.identity_basis)
        if expression is not None:
            flat = flat + _combine("expression", expression, self.expression_basis)
        return flat.unflatten(-1, (-1, 3))

    def texture(self, albedo: Float[Tensor, "*batch A"]) -> Float[Tensor, "*batch N 3"]:
        """Give vertex colours, clipped to [0, 1] before lighting (which stops gradients outside)."""
        flat = self.albedo_mean.flatten() + _combine("albedo", albedo, self.albedo_basis)
        return flat.clamp(0, 1).unflatten(-1, (-1, 3))

    def forward(self, coefficients: FaceCoefficients) -> FaceMesh:
        """Decode identity, expression and albedo; pose and light are the renderer's business."""
        verts = self.shape(coefficients.identity, coefficients.expression)
        return FaceMesh(
            verts=verts,
            faces=self.faces,
            normals=vertex_normals(verts, self.faces),
            albedo=self.texture(coefficients.albedo),
        )

    def landmarks68(self, verts: Float[Tensor, "*batch N 3"]) -> Float[Tensor, "*batch 68 3"]:
        """Pick the iBUG 68 landmarks of meshes of this topology and level."""
        return _pick(verts, self.landmarks68_index, self.landmarks68_weights)

    def landmarks7(self, verts: Float[Tensor, "*batch N 3"]) -> Float[Tensor, "*batch 7 3"]:
        """Pick the seven NoW landmarks of meshes of this topology and level."""
        return _pick(verts, self.landmarks7_index, self.landmarks7_weights)

    def region(self, name: str) -> Bool[Tensor, " N"]:
        """Give the mask of a named region.

        Raises:
            MGCError: if the model has no such region; the message lists the names.
        """
        if name not in self.region_names:
            raise MGCError(f"Face model `{self.name}` has no region `{name}`, only {self.region_names}")
        return self.region_masks[self.region_names.index(name)]

    @property
    def face_mask(self) -> Bool[Tensor, " N"]:
        """Vertices of the face that evaluation measures."""
        return self.region(FACE_MASK)

    @property
    def face_region_faces(self) -> Int[Tensor, "F2 3"]:
        """Triangles of training renders: the face without ears, scalp and neck."""
        return self.faces[self.face_region_index]

    def faces_without(self, *regions: str) -> Int[Tensor, "F2 3"]:
        """Give the triangles that touch none of the named regions, e.g. `faces_without("teeth")`."""
        drop = torch.zeros_like(self.region_masks[0])
        for name in regions:
            drop = drop | self.region(name)
        return self.faces[~drop[self.faces].any(dim=1)]

    def outer_faces(self) -> Int[Tensor, "F2 3"]:
        """Give the triangles that a scanner or a detector sees: teeth and the inside of the mouth, if any, left out."""
        return self.faces_without(*(name for name in ("teeth", "mouth_interior") if name in self.region_names))

    def mean_coefficients(self, batch_size: int = 1) -> FaceCoefficients:
        """Give the coefficients of the mean face in the main pose under flat ambient light."""
        vector = self.mean.new_zeros(batch_size, self.layout.total)
        coefficients = FaceCoefficients.from_vector(vector, self.layout)
        coefficients.pose = self.main_pose.expand(batch_size, -1).clone()
        coefficients.light = coefficients.light.clone()
        coefficients.light[:, ::9] = LIGHT_AMBIENT
        return coefficients

    def extra_repr(self) -> str:
        """Summarise for printing."""
        return f"{self.name}, level={self.level}, verts={self.num_verts}, faces={len(self.faces)}, {self.layout}"


def _select_extras(data: FaceModelData, level: int) -> dict[str, np.ndarray]:
    rows = data.attribute_index(level)
    return {name: array[..., rows] for name, array in data.extras.items() if array.shape[-1] == data.num_fine}


def _combine(name: str, coefficients: Tensor, basis: Tensor) -> Tensor:
    if coefficients.shape[-1] != basis.shape[0]:
        raise ValueError(f"Expected {basis.shape[0]} {name} coefficients, got {coefficients.shape[-1]}")
    return coefficients @ basis.flatten(1)


def _pick(verts: Tensor, index: Tensor, weights: Tensor) -> Tensor:
    if index.shape[1] == 1:
        return verts[..., index[:, 0], :]
    return (verts[..., index, :] * weights[..., None]).sum(dim=-2)


def _apply(matrix: csr_matrix, arrays: np.ndarray) -> np.ndarray:
    """Apply a sparse (N1, N0) matrix along the vertex axis of (..., N0, 3)."""
    stacked = np.moveaxis(arrays, -2, 0)
    result = matrix @ stacked.reshape(len(stacked), -1)
    return np.moveaxis(result.reshape(-1, *stacked.shape[1:]), 0, -2)


def _pull_back(matrix: csr_matrix, index: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Express landmarks on the subdivided mesh as weighted control vertices: rows of W S, padded."""
    rows = np.repeat(np.arange(len(index)), index.shape[1])
    shape = (len(index), matrix.shape[0])
    selection = csr_matrix((weights.ravel(), (rows, index.ravel())), shape=shape)
    product = (selection @ matrix).tocsr()
    product.eliminate_zeros()
    product.sort_indices()
    width = int(np.diff(product.indptr).max())
    new_index = np.zeros((len(index), width), dtype=np.int64)
    new_weights = np.zeros((len(index), width), dtype=np.float32)
    for row in range(len(index)):
        part = slice(product.indptr[row], product.indptr[row + 1])
        count = part.stop - part.start
        new_index[row, :count] = product.indices[part]
        new_weights[row, :count] = product.data[part]
    return new_index, new_weights
