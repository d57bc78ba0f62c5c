"""From an owner's arrays to a face model: what every loader shares, and the checks that catch wrong files."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models.fallback_albedo import fallback_albedo
from mgc_lightning.face_models.model_data import FACE_MASK, RENDER_REGION, FaceModelData, FaceModelInfo, SourceFile
from mgc_lightning.files.checksum import sha256_of
from mgc_lightning.files.reading import reading
from mgc_lightning.geometry.landmarks68 import SEVEN_POINTS
from mgc_lightning.geometry.main_pose import fit_main_pose

FACE_RADIUS = 95.0
"""Radius in mm around the nose tip of the face that evaluation measures."""
MOST_UNPACKED = 1000
"""Bytes of an array for one byte in its file: no compression of face models comes near."""
EYE_CORNERS = (60.0, 130.0)
"""Distance in mm within which any adult's outer eye corners lie; other distances mean other units."""


@dataclass
class RawFaceModel:
    """Hold a linear face model as its loader read it: model frame, mm, triangles outward, 0-based.

    Attributes:
        name: short name.
        licence: one line.
        mean: (N, 3) mm.
        identity_basis: (I, N, 3) mm per standard deviation.
        expression_basis: (E, N, 3) mm per unit.
        faces: (F, 3).
        landmarks68_index: (68, K), iBUG order, with `landmarks68_weights` (68, K).
        expression_sigma: (E,), 1 where None.
        expression_names: one a direction, numbered where None.
        albedo_mean: (N, 3) in [0, 1], or None for a model without albedo.
        albedo_basis: (A, N, 3) per standard deviation.
        skin: (N,) vertices that a fallback albedo colours as skin, all where None.
        regions: further masks (N,) by name; `face` and `face_render` are made where they are absent.
        main_pose: (6,), fitted to the alignment template where None.
        uv: (N, 2) or None.
        extras: further arrays, names with a dot.
        notes: anything worth knowing.
    """

    name: str
    licence: str
    mean: np.ndarray
    identity_basis: np.ndarray
    expression_basis: np.ndarray
    faces: np.ndarray
    landmarks68_index: np.ndarray
    landmarks68_weights: np.ndarray
    expression_sigma: np.ndarray | None = None
    expression_names: list[str] | None = None
    albedo_mean: np.ndarray | None = None
    albedo_basis: np.ndarray | None = None
    skin: np.ndarray | None = None
    regions: dict[str, np.ndarray] = field(default_factory=dict)
    main_pose: np.ndarray | None = None
    uv: np.ndarray | None = None
    extras: dict[str, np.ndarray] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)

    def landmarks68(self) -> np.ndarray:
        """Give the landmarks (68, 3) of the mean face."""
        return (self.mean[self.landmarks68_index] * self.landmarks68_weights[..., None]).sum(axis=1)


def finish(raw: RawFaceModel, sources: list[Path]) -> FaceModelData:
    """Complete and check a face model.

    Args:
        raw: what the loader read.
        sources: the files it came from, hashed into the result.

    Raises:
        MGCError: for shapes that do not fit, wrong units, or a face that looks elsewhere than +z.
    """
    origin = ", ".join(path.name for path in sources)
    _check_landmark_indices(raw, origin)
    landmarks = raw.landmarks68()
    check_frame(landmarks, origin)
    regions = raw.regions | {
        name: mask for name, mask in face_regions(raw, landmarks).items() if name not in raw.regions
    }
    albedo_mean, albedo_basis = raw.albedo_mean, raw.albedo_basis
    notes = dict(raw.notes)
    if albedo_mean is None or albedo_basis is None:
        albedo_mean, albedo_basis = fallback_albedo(raw.mean, raw.faces, raw.skin)
        notes["albedo"] = "fallback: constant skin with low-frequency Laplacian directions; the source has none"
    count = len(raw.expression_basis)
    main_pose = fit_main_pose(landmarks) if raw.main_pose is None else raw.main_pose
    data = FaceModelData(
        info=FaceModelInfo(
            name=raw.name,
            licence=raw.licence,
            expression_names=raw.expression_names or [f"expression_{i:03d}" for i in range(count)],
            region_names=list(regions),
            sources=[SourceFile(path.name, sha256_of(path)) for path in sources],
            smooth_border=RENDER_REGION not in raw.regions,
            notes=notes,
        ),
        mean=_float(raw.mean),
        identity_basis=_float(raw.identity_basis),
        expression_basis=_float(raw.expression_basis),
        expression_sigma=_float(np.ones(count) if raw.expression_sigma is None else raw.expression_sigma),
        faces=raw.faces.astype(np.int64),
        albedo_mean=_float(albedo_mean),
        albedo_basis=_float(albedo_basis),
        landmarks68_index=raw.landmarks68_index.astype(np.int64),
        landmarks68_weights=_float(raw.landmarks68_weights),
        landmarks7_index=raw.landmarks68_index[list(SEVEN_POINTS)].astype(np.int64),
        landmarks7_weights=_float(raw.landmarks68_weights[list(SEVEN_POINTS)]),
        regions=np.stack([np.asarray(mask, dtype=bool) for mask in regions.values()]),
        main_pose=_float(main_pose),
        uv=None if raw.uv is None else _float(raw.uv),
        extras=raw.extras,
    ).validate(origin)
    check_outward(data.mean, data.faces, data.region(RENDER_REGION), origin)
    return data


def check_frame(landmarks: np.ndarray, origin: str) -> None:
    """Check units and directions by the mean face's landmarks (68, 3).

    Raises:
        MGCError: saying which distance or direction is wrong.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> model = load_face_model()
        >>> landmarks = model.landmarks68(model.mean).numpy()
        >>> check_frame(landmarks, "head")
        >>> check_frame(landmarks / 1000, "head in metres")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        mgc_lightning.errors.MGCError: head in metres: the mean face's outer eye corners are 0.08775 mm apart, ...
    """
    distance = float(np.linalg.norm(landmarks[36] - landmarks[45]))
    if not EYE_CORNERS[0] <= distance <= EYE_CORNERS[1]:
        raise MGCError(
            f"{origin}: the mean face's outer eye corners are {distance:.4g} mm apart, expected "
            f"{EYE_CORNERS[0]:.0f} to {EYE_CORNERS[1]:.0f}: its lengths are in other units than this format's, "
            "or its landmarks belong to another mesh"
        )
    eyes, mouth = landmarks[36:48].mean(axis=0), landmarks[48:].mean(axis=0)
    wrong = []
    if not landmarks[36, 0] < landmarks[39, 0] < landmarks[42, 0] < landmarks[45, 0]:
        wrong.append("its eyes are not in order along x (the person's right eye at smaller x)")
    if not eyes[1] > mouth[1] > landmarks[8, 1]:
        wrong.append("eyes, mouth and chin are not in order along y (up)")
    if not landmarks[30, 2] > max(eyes[2], landmarks[0, 2], landmarks[16, 2]):
        wrong.append("the nose tip is not in front (z toward the viewer)")
    if wrong:
        raise MGCError(f"{origin}: the mean face does not stand in the model frame: {'; '.join(wrong)}")


def check_outward(mean: np.ndarray, faces: np.ndarray, region: np.ndarray, origin: str) -> None:
    """Check that the triangles of the face point away from the head.

    Raises:
        MGCError: if most of the face's area points inward.
    """
    chosen = faces[region[faces].all(axis=1)]
    corners = mean[chosen]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    if not normals[:, 2].sum() > 0:
        raise MGCError(f"{origin}: the triangles of the face point inward or backward; their order is wrong")


def face_regions(raw: RawFaceModel, landmarks: np.ndarray) -> dict[str, np.ndarray]:
    """Make the regions that every model has, by distances from landmarks of the mean face.

    `face`: skin within 95 mm of the nose tip. `face_render`: the part of it between chin and forehead, in front
    of the ears, with the model's `eyeballs` if it has them. `nose`, `lips`, `eyes`: around their landmarks.
    """
    skin = np.ones(len(raw.mean), dtype=bool) if raw.skin is None else raw.skin
    verts, tip = raw.mean, landmarks[30]
    face = skin & (np.linalg.norm(verts - tip, axis=1) <= FACE_RADIUS)
    brow, chin = landmarks[17:27, 1].max(), landmarks[8, 1]
    top = brow + 0.6 * (brow - landmarks[33, 1])
    ears = min(landmarks[0, 2], landmarks[16, 2])
    render = face & (verts[:, 1] >= chin - 5) & (verts[:, 1] <= top) & (verts[:, 2] >= ears - 5)
    if "eyeballs" in raw.regions:
        render = render | raw.regions["eyeballs"]
    groups = {"nose": (slice(27, 36), 12.0), "lips": (slice(48, 68), 7.0), "eyes": (slice(36, 48), 9.0)}
    regions = {FACE_MASK: face, RENDER_REGION: render}
    for name, (group, radius) in groups.items():
        distance = np.linalg.norm(verts[:, None] - landmarks[group], axis=2).min(axis=1)
        regions[name] = skin & (distance <= radius)
    return regions


def take(table: Any, key: str, origin: Path, shape: tuple[int | None, ...] | None = None) -> np.ndarray:
    """Read one array from a mapping of a file, checking that it is there and its shape.

    Raises:
        MGCError: naming the file and the key.

    Example:
        >>> take({"shape_mean": np.zeros(9)}, "shape_mean", Path("model.h5"), shape=(None,)).shape
        (9,)
        >>> take({"shape_mean": np.zeros(9)}, "shape_mean", Path("model.h5"), shape=(None, 3))
        Traceback (most recent call last):
            ...
        mgc_lightning.errors.MGCError: model.h5: `shape_mean` has shape (9,), expected (None, 3) (None: any)
    """
    if key not in table:
        raise MGCError(f"{origin} has no `{key}`: it is another file, or another version of it")
    with reading(origin, f"`{key}` cannot be read, the file may be cut off"):
        _check_stored(table[key], origin, key)
        array = np.asarray(table[key])
    fits = shape is None or (
        array.ndim == len(shape)
        and all(want is None or got == want for got, want in zip(array.shape, shape, strict=True))
    )
    if not fits:
        raise MGCError(f"{origin}: `{key}` has shape {array.shape}, expected {shape} (None: any)")
    return array


def _check_stored(value: Any, origin: Path, key: str) -> None:
    """Refuse an array that an HDF5 file claims to be far larger than what it holds of it."""
    stored = getattr(getattr(value, "id", None), "get_storage_size", None)
    if stored is None:
        return
    claimed = prod(value.shape) * value.dtype.itemsize
    if claimed > MOST_UNPACKED * max(int(stored()), 4096):
        raise MGCError(
            f"{origin}: `{key}` claims {value.shape} of {value.dtype}, of which the file holds {stored()} bytes"
        )


def directions(matrix: np.ndarray, count: int | None = None) -> np.ndarray:
    """Reshape a basis (3N, K) of interleaved coordinates to (K, N, 3), the first `count` columns.

    Example:
        >>> interleaved = np.array([[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]])  # x, y, z of two vertices, one direction
        >>> directions(interleaved).tolist()
        [[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]
    """
    return np.ascontiguousarray(matrix[:, :count].T.reshape(-1, matrix.shape[0] // 3, 3))


def single_vertices(index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give landmarks that are vertices as index and weights (L, 1).

    Example:
        >>> index, weights = single_vertices(np.array([16645, 16889]))
        >>> index.tolist(), weights.tolist()
        ([[16645], [16889]], [[1.0], [1.0]])
    """
    column = np.asarray(index).astype(np.int64).reshape(-1, 1)
    return column, np.ones(column.shape, dtype=np.float32)


def _check_landmark_indices(raw: RawFaceModel, origin: str) -> None:
    index = raw.landmarks68_index
    if index.shape[0] != 68 or index.min() < 0 or index.max() >= len(raw.mean):
        raise MGCError(
            f"{origin}: expected 68 landmarks on {len(raw.mean)} vertices, got {index.shape[0]} with indices "
            f"{index.min()}..{index.max()}"
        )


def _float(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array, dtype=np.float32)
