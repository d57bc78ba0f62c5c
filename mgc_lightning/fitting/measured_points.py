"""Points of a face model that a detector measures: iBUG's 68, or the vertices of a detector's own mesh."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.fitting.landmark_fit import landmark_basis
from mgc_lightning.geometry.closest_points import ClosestPoints, barycentric_weights
from mgc_lightning.geometry.mesh import vertex_normals

MESH_DATA = Path(__file__).parent / "data" / "mediapipe_mesh.json"
"""Where MediaPipe's vertices lie on the embedded head, by tools/measure_mesh_points.py."""
MESH_ERROR = 8.0
"""Standard deviation in px at 224 px of a mesh's vertex whose spread over people is the median. Errors of neighbours go
together, so it is wider than that of one vertex alone."""


@dataclass(frozen=True)
class LandmarkErrors:
    """Say how far landmarks are off what the face model means by them: standard deviations in px at 224 px.

    Brows are hair and not shape; the jaw's points slide along the outline.

    Attributes:
        jaw: points 0 to 16.
        brows: 17 to 26.
        nose: 27 to 35.
        eyes: 36 to 47.
        mouth: 48 to 67.
    """

    jaw: float = 16.0
    brows: float = 16.0
    nose: float = 4.0
    eyes: float = 4.0
    mouth: float = 5.0

    def vector(self) -> Float[Tensor, " 68"]:
        """Give one number a point."""
        parts = ((self.jaw, 17), (self.brows, 10), (self.nose, 9), (self.eyes, 12), (self.mouth, 20))
        return torch.cat([torch.full((count,), value, dtype=torch.float64) for value, count in parts])


@dataclass(frozen=True)
class MeasuredPoints:
    """Hold P points of a face model, and how far off they are measured; float64.

    Attributes:
        mean: (P, 3) mm on the mean face.
        basis: (C, P, 3) their share of the bases: identity, then expression, per standard deviation.
        sigma: (P,) px at 224 px.
    """

    mean: Float[Tensor, "P 3"]
    basis: Float[Tensor, "C P 3"]
    sigma: Float[Tensor, " P"]

    @classmethod
    def landmarks(cls, face_model: FaceModel, errors: LandmarkErrors | None = None) -> MeasuredPoints:
        """Give iBUG's 68 points.

        Example:
            >>> from mgc_lightning import load_face_model
            >>> MeasuredPoints.landmarks(load_face_model()).basis.shape
            torch.Size([132, 68, 3])
        """
        basis, mean = landmark_basis(face_model)
        return cls(mean, basis, (errors or LandmarkErrors()).vector().to(mean))

    @classmethod
    def jaw(cls, face_model: FaceModel, error: float) -> MeasuredPoints:
        """Give iBUG's 17 points of the jaw.

        Args:
            face_model: whose.
            error: standard deviation in px at 224 px.

        Example:
            >>> from mgc_lightning import load_face_model
            >>> MeasuredPoints.jaw(load_face_model(), 5.0).mean.shape
            torch.Size([17, 3])
        """
        points = cls.landmarks(face_model, LandmarkErrors(jaw=error))
        return cls(points.mean[:17], points.basis[:, :17], points.sigma[:17])

    def and_also(self, others: MeasuredPoints) -> MeasuredPoints:
        """Give these points and, after them, others."""
        return MeasuredPoints(
            torch.cat([self.mean, others.mean]),
            torch.cat([self.basis, others.basis], dim=1),
            torch.cat([self.sigma, others.sigma]),
        )


@dataclass(frozen=True)
class MeshPoints:
    """Hold the vertices of a detector's mesh that lie in one place of the head, and where that is.

    Attributes:
        vertices: (P,) of the detector's mesh.
        points: on the face model.
        normals: (P, 3) of the mean face there: a vertex is seen where it faces the camera.
    """

    vertices: Int[Tensor, " P"]
    points: MeasuredPoints
    normals: Float[Tensor, "P 3"]

    def facing(self, T_cam_model: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch P"]:
        """Give the cosine between the normals and the way to a far camera.

        Example:
            >>> from mgc_lightning import load_face_model
            >>> points = mesh_points(load_face_model())
            >>> looking_at_us = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0]))
            >>> bool((points.facing(looking_at_us) > 0).float().mean() > 0.9)
            True
        """
        return -(T_cam_model[..., :3, :3] @ self.normals.to(T_cam_model).mT)[..., 2, :]


_KNOWN: WeakKeyDictionary[FaceModel, MeshPoints] = WeakKeyDictionary()


def mesh_points(face_model: FaceModel) -> MeshPoints | None:
    """Give where the vertices of MediaPipe's face mesh lie on a face model, at any of its levels.

    Returns:
        None for another face model than that of the table, the embedded one.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> found = mesh_points(load_face_model())
        >>> bool((found.points.mean.norm(dim=1) > 50).all()), int(found.vertices.max()) < 468
        (True, True)
    """
    table = _table()
    if face_model.name != table.face_model:
        return None
    found = _KNOWN.get(face_model)
    if found is None or found.normals.device != face_model.mean.device:
        found = _KNOWN[face_model] = _place(face_model, table)
    return found


@dataclass(frozen=True)
class _Table:
    face_model: str
    vertices: Int[NDArray, " P"]
    places: Float[NDArray, "P 3"]
    spread: Float[NDArray, " P"]


@cache
def _table() -> _Table:
    content = json.loads(MESH_DATA.read_text(encoding="utf-8"))
    rows = np.array(content["points"], dtype=np.float64)
    return _Table(content["face_model"], rows[:, 0].astype(np.int64), rows[:, 1:4], rows[:, 4])


def _place(face_model: FaceModel, table: _Table) -> MeshPoints:
    faces = face_model.outer_faces().cpu()
    mean = face_model.mean.double().cpu()
    _, face, closest = ClosestPoints(mean.numpy(), faces.numpy()).query(table.places)
    corners = faces[torch.from_numpy(face)]
    weights = torch.from_numpy(barycentric_weights(closest, mean[corners].numpy()))

    def at(values: Tensor) -> Float[Tensor, "*batch P 3"]:
        picked = values.double().cpu()[..., corners, :]
        return (picked * weights[..., None]).sum(-2).to(face_model.mean.device)

    sigma = face_model.expression_sigma[:, None, None]
    basis = torch.cat([at(face_model.identity_basis), at(face_model.expression_basis * sigma)])
    normals = at(vertex_normals(face_model.mean[None], face_model.faces)[0])
    spread = torch.from_numpy(MESH_ERROR * table.spread / np.median(table.spread)).to(basis)
    points = MeasuredPoints(at(face_model.mean), basis, spread)
    return MeshPoints(torch.from_numpy(table.vertices), points, normals / normals.norm(dim=-1, keepdim=True))
