"""What any linear face model consists of, as plain arrays: how models are stored and converted."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse

from mgc_lightning.errors import MGCError

FACE_MASK = "face"
"""Name of the region that evaluation uses (the head without ears, near the nose tip)."""
RENDER_REGION = "face_render"
"""Name of the region whose triangles training renders: the face without ears, scalp and neck."""


@dataclass
class SourceFile:
    """Name a file that a model was made from.

    Attributes:
        name: its file name.
        sha256: hex digest of its bytes.
    """

    name: str
    sha256: str


@dataclass
class FaceModelInfo:
    """Describe a face model in words; stored as readable JSON beside the arrays.

    Attributes:
        name: short name, also the file's stem in the cache.
        licence: licence of the data, one line.
        units: what the coefficients and lengths are measured in.
        expression_names: one name an expression direction.
        region_names: one name a row of `FaceModelData.regions`.
        sources: the files it was made from.
        smooth_border: training renders take the tabs off the border of the region `face_render`; False renders it
            as the model's owner drew it.
        notes: anything else worth knowing, free keys (author, version, statistics of the build).
    """

    name: str
    licence: str = "unknown"
    units: str = "mm; identity and albedo in standard deviations"
    expression_names: list[str] = field(default_factory=list)
    region_names: list[str] = field(default_factory=list)
    sources: list[SourceFile] = field(default_factory=list)
    smooth_border: bool = False
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass
class FaceModelData:
    """Hold a linear face model: control mesh of N0 vertices, optionally subdivided to N1 by `S`.

    Per-vertex attributes (albedo, regions, uv) and landmark indices refer to the finest mesh: N = N1 where
    there is a subdivision, else N0. Frame: x viewer's right, y up, z toward the viewer, mm. Triangles point
    outward.

    Attributes:
        info: name, licence, sources, names of expressions and regions.
        mean: (N0, 3) mm.
        identity_basis: (I, N0, 3) mm per standard deviation.
        expression_basis: (E, N0, 3) mm per unit.
        expression_sigma: (E,) standard deviation of the expression prior, in those units.
        faces: (F0, 3) triangles of the control mesh.
        albedo_mean: (N, 3) display-space RGB in [0, 1].
        albedo_basis: (A, N, 3) per standard deviation; A may be 0.
        landmarks68_index: (68, K) vertices of the finest mesh, iBUG order.
        landmarks68_weights: (68, K) rows sum to 1; padding has weight 0.
        landmarks7_index: (7, L) the NoW points: outer and inner corner of the right eye, inner and outer
            corner of the left one, nose base, mouth corners.
        landmarks7_weights: (7, L).
        regions: (R, N) bool, one row a name in `info.region_names`; may overlap.
        main_pose: (6,) rz, ry, rx, tx, ty, tz for the default camera; `T_cam_model`.
        subdivision: (N1, N0) sparse, rows sum to 1, or None.
        subdivided_faces: (F1, 3) triangles of the subdivided mesh, or None.
        control_index: (N0,) for each control vertex the fine vertex whose attributes it takes, or None.
        uv: (N, 2) texture coordinates, v up, or None.
        extras: further arrays of one source, e.g. the procedural skin's fields; names hold a dot.

    Example:
        >>> from mgc_lightning.face_models import load_face_model_data
        >>> data = load_face_model_data()
        >>> data.identity_basis.shape, data.expression_basis.shape, data.num_fine, int(data.region("face").sum())
        ((80, 4032, 3), (52, 4032, 3), 16001, 7426)
    """

    info: FaceModelInfo
    mean: np.ndarray
    identity_basis: np.ndarray
    expression_basis: np.ndarray
    expression_sigma: np.ndarray
    faces: np.ndarray
    albedo_mean: np.ndarray
    albedo_basis: np.ndarray
    landmarks68_index: np.ndarray
    landmarks68_weights: np.ndarray
    landmarks7_index: np.ndarray
    landmarks7_weights: np.ndarray
    regions: np.ndarray
    main_pose: np.ndarray
    subdivision: scipy.sparse.csr_matrix | None = None
    subdivided_faces: np.ndarray | None = None
    control_index: np.ndarray | None = None
    uv: np.ndarray | None = None
    extras: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def levels(self) -> int:
        """Number of levels of detail: 1, or 2 with a subdivision."""
        return 1 if self.subdivision is None else 2

    @property
    def num_fine(self) -> int:
        """Number of vertices of the finest mesh."""
        return len(self.mean) if self.subdivision is None else self.subdivision.shape[0]

    def region(self, name: str) -> np.ndarray:
        """Give the mask (N,) of a named region on the finest mesh."""
        if name not in self.info.region_names:
            raise MGCError(f"Face model `{self.info.name}` has no region `{name}`, only {self.info.region_names}")
        return self.regions[self.info.region_names.index(name)]

    def attribute_index(self, level: int) -> np.ndarray | slice:
        """Give what selects the rows of per-vertex attributes for a level."""
        if level == self.levels - 1:
            return slice(None)
        return np.arange(len(self.mean)) if self.control_index is None else self.control_index

    def fingerprint(self) -> str:
        """Hash the geometry (sha256, hex): equal for two models whose coefficients mean the same shapes."""
        digest = hashlib.sha256()
        for array in (self.mean, self.identity_basis, self.expression_basis):
            digest.update(np.ascontiguousarray(array, dtype=np.float32).tobytes())
        digest.update(np.ascontiguousarray(self.faces, dtype=np.int64).tobytes())
        return digest.hexdigest()

    def validate(self, origin: str = "face model") -> FaceModelData:
        """Check shapes, index ranges, and that numbers are finite; return itself.

        Raises:
            MGCError: naming `origin`, the key, what was expected and what came.
        """
        n0, n = len(self.mean), self.num_fine
        shapes: dict[str, tuple[int | None, ...]] = {
            "mean": (None, 3),
            "identity_basis": (None, n0, 3),
            "expression_basis": (None, n0, 3),
            "expression_sigma": (len(self.expression_basis),),
            "faces": (None, 3),
            "albedo_mean": (n, 3),
            "albedo_basis": (None, n, 3),
            "landmarks68_index": (68, None),
            "landmarks68_weights": (68, self.landmarks68_index.shape[-1]),
            "landmarks7_index": (7, None),
            "landmarks7_weights": (7, self.landmarks7_index.shape[-1]),
            "regions": (len(self.info.region_names), n),
            "main_pose": (6,),
        }
        if self.subdivision is not None:
            shapes |= {"subdivision": (n, n0), "subdivided_faces": (None, 3)}
        if self.control_index is not None:
            shapes["control_index"] = (n0,)
        if self.uv is not None:
            shapes["uv"] = (n, 2)
        for key, expected in shapes.items():
            _check_shape(origin, key, getattr(self, key), expected)
        _check_indices(origin, "faces", self.faces, n0)
        for key in ("subdivided_faces", "landmarks68_index", "landmarks7_index", "control_index"):
            if getattr(self, key) is not None:
                _check_indices(origin, key, getattr(self, key), n)
        if len(self.info.expression_names) != len(self.expression_basis):
            raise MGCError(
                f"{origin}: {len(self.expression_basis)} expression directions but "
                f"{len(self.info.expression_names)} expression names"
            )
        return self


def _check_shape(origin: str, key: str, array: Any, expected: tuple[int | None, ...]) -> None:
    shape = None if array is None else tuple(array.shape)
    fits = (
        shape is not None
        and len(shape) == len(expected)
        and all(want is None or got == want for got, want in zip(shape, expected, strict=True))
    )
    if not fits:
        wanted = "(" + ", ".join("any" if size is None else str(size) for size in expected) + ")"
        raise MGCError(f"{origin}: `{key}` has shape {shape}, expected {wanted}")
    values = array.data if scipy.sparse.issparse(array) else array
    if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
        raise MGCError(f"{origin}: `{key}` holds values that are not finite")


def _check_indices(origin: str, key: str, array: np.ndarray, size: int) -> None:
    if not np.issubdtype(array.dtype, np.integer):
        raise MGCError(f"{origin}: `{key}` must hold integers, got {array.dtype}")
    if array.size and (int(array.min()) < 0 or int(array.max()) >= size):
        raise MGCError(f"{origin}: `{key}` must index {size} vertices, got {array.min()}..{array.max()}")
