"""What results are compared with: the mean face, the best that the face model can do, colours of its own."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.evaluation.scan.faces import (
    PredictedFace,
)
from mgc_lightning.evaluation.scan.head_result import HeadResult
from mgc_lightning.evaluation.scan.score import ScanScore, score_mesh
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.fitting.scan_fit import ScanFit
from mgc_lightning.metrics.now.aggregate import pool

MEAN_FACE, LIMIT = "mean face", "limit"


def reference_scores(result: HeadResult, model: FaceModel) -> list[ScanScore]:
    """Score the mean face, and the best that the face model can do."""
    scores = []
    for name, face in ((MEAN_FACE, mean_face(model)), (LIMIT, limit_face(result.fit, model))):
        distances = score_mesh(result.head, face).distances
        scores.append(ScanScore(result.head.name, "", name, (), pool(distances), distances))
    return scores


def paint_by_basis(face_model: FaceModel, seed: int) -> Float[Tensor, "N 3"]:
    """Draw colours from the face model's own albedo basis.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> model = load_face_model()
        >>> colors = paint_by_basis(model, seed=1)
        >>> colors.shape, torch.equal(colors, paint_by_basis(model, seed=1))
        (torch.Size([4032, 3]), True)
    """
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.randn(face_model.layout.albedo, generator=generator).clamp(-3, 3)
    return face_model.texture(numbers.to(face_model.mean))


def mean_face(model: FaceModel) -> PredictedFace:
    """Give the mean face as a prediction.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> face = mean_face(load_face_model())
        >>> face.verts.shape, face.landmarks7.shape, face.identity  # a mesh, as any method's: it has no coefficients
        (torch.Size([4032, 3]), torch.Size([7, 3]), None)
    """
    colors = model.albedo_mean.cpu()
    return PredictedFace(model.mean.cpu(), model.faces.cpu(), model.landmarks7(model.mean).cpu(), colors)


def limit_face(fit: ScanFit, model: FaceModel) -> PredictedFace:
    """Give the fitted face model as a prediction."""
    verts = model.shape(fit.identity.to(model.mean))
    colors = model.albedo_mean.cpu()
    return PredictedFace(verts.cpu(), model.faces.cpu(), model.landmarks7(verts).cpu(), colors)
