"""Fit albedo and light to photographs whose geometry is known: both are linear where the other is held."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.coefficients import FaceCoefficients
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.geometry.camera import project
from mgc_lightning.geometry.covisibility import visible_verts
from mgc_lightning.geometry.pose import transform_points
from mgc_lightning.geometry.view_synthesis import sample_bilinear
from mgc_lightning.rendering.lighting import BANDS, sh_basis, shade
from mgc_lightning.scene import FaceViews

SAMPLES = 100.0
"""Independent colours that a face shows: those of neighbouring vertices say nearly the same, and are wrong together."""
NOISE = 0.05
"""Standard deviation of the colours about the model's, in [0, 1]: shadows, highlights, beards."""
LIGHT = 0.15
"""Standard deviation of a predicted harmonic of the light."""
ROBUST = 2.0
"""Standard deviations at which a colour counts a quarter (Geman and McClure's weight)."""
ROUNDS = 5
"""Turns of light and albedo, each with new weights."""


def fit_appearance(
    face_model: FaceModel,
    views: FaceViews,
    images: Float[Tensor, "B V 3 H W"],
    skin: Float[Tensor, "B V 1 H W"],
) -> FaceCoefficients:
    """Find the most probable albedo of each sample, and light of each view, given a prediction and the photographs.

    Vertices that are seen are measurements: photograph = albedo x shade, each linear in its own coefficients (Aldrian
    and Smith, Inverse Rendering of Faces with a 3D Morphable Model, PAMI 2013). Colours far from the model's (hidden
    skin, highlights) count little. Albedo is one for all views of a sample.

    Args:
        face_model: any linear model.
        views: geometry and prediction, rendered.
        images: (B, V, 3, H, W) RGB in [0, 1].
        skin: (B, V, 1, H, W) in [0, 1], how far each pixel is skin.

    Returns:
        The coefficients of the views, with albedo and light found.

    Example:
        >>> from mgc_lightning import FaceRenderer, load_face_model, render_views
        >>> from mgc_lightning.losses import perfect_views
        >>> model, (views, batch) = load_face_model(), perfect_views(image_size=96)
        >>> dark = replace(views.coefficients, light=0.5 * views.coefficients.light)  # a prediction half as bright
        >>> before = render_views(dark, model, FaceRenderer(), batch.K, 96)
        >>> found = fit_appearance(model, before, batch.images, batch.skin)
        >>> after = render_views(found, model, FaceRenderer(), batch.K, 96)
        >>> [round((made.rendered.image - batch.images[0]).abs().mean().item(), 2) for made in (before, after)]
        [0.06, 0.0]
    """
    with torch.no_grad():
        seen = _look(face_model, views, images, skin)
        albedo, light = views.coefficients.albedo.mean(1), views.coefficients.light
        predicted_albedo, predicted_light = albedo, light
        for _ in range(ROUNDS):
            weights = _weights(face_model, seen, albedo, light)
            light = _fit_light(seen, weights, face_model.texture(albedo)[:, None], predicted_light)
            albedo = _fit_albedo(face_model, seen, weights, light, predicted_albedo)
    return replace(views.coefficients, albedo=albedo[:, None].expand_as(views.coefficients.albedo), light=light)


@dataclass(frozen=True)
class _Seen:
    colours: Float[Tensor, "B V N 3"]
    normals: Float[Tensor, "B V N 3"]
    weight: Float[Tensor, "B V N 1"]


def _look(face_model: FaceModel, views: FaceViews, images: Tensor, skin: Tensor) -> _Seen:
    """Sample the photographs at the vertices, and say how far each is seen."""
    batch, size = images.shape[:2], images.shape[-1]
    points = transform_points(views.T_cam_model, views.mesh.verts)
    pixels = project(points, views.K).flatten(0, 1)
    seen = visible_verts(views.rendered.fragments.pix_to_face, face_model.face_region_faces, pixels.shape[1])
    both = torch.cat([images, skin], dim=2).flatten(0, 1)
    sampled = sample_bilinear(both, pixels[:, :, None])[..., 0].mT
    inside = ((pixels > 0) & (pixels < size)).all(-1)
    weight = sampled[..., 3:] * (seen & inside)[..., None]
    return _Seen(sampled[..., :3].unflatten(0, batch), views.mesh.normals, weight.unflatten(0, batch))


def _weights(face_model: FaceModel, seen: _Seen, albedo: Tensor, light: Tensor) -> Float[Tensor, "B V N 1"]:
    """Give the precision of each vertex' colour: `SAMPLES` independent ones a view, outliers next to nothing."""
    model = face_model.texture(albedo)[:, None] * shade(seen.normals, light)
    away = (seen.colours - model).norm(dim=-1, keepdim=True) / NOISE
    weight = seen.weight / (1 + (away / ROBUST).square()).square()
    return weight * (SAMPLES / NOISE**2) / seen.weight.sum(2, keepdim=True).clamp(min=1.0)


def _fit_light(seen: _Seen, weights: Tensor, albedo: Tensor, predicted: Tensor) -> Float[Tensor, "B V 27"]:
    basis = sh_basis(seen.normals)
    start = predicted.unflatten(-1, (3, BANDS))
    rows = albedo[..., None] * basis[..., None, :]  # (B, V, N, 3, 9)
    weighted = rows * weights[..., None]
    normal = torch.einsum("bvncj,bvnck->bvcjk", weighted, rows)
    normal = normal + torch.eye(BANDS).to(normal) / LIGHT**2
    right = torch.einsum("bvncj,bvnc->bvcj", weighted, seen.colours) + start / LIGHT**2
    return _solve(normal, right).flatten(-2)


def _fit_albedo(
    face_model: FaceModel, seen: _Seen, weights: Tensor, light: Tensor, predicted: Tensor
) -> Float[Tensor, "B A"]:
    basis, mean = face_model.albedo_basis, face_model.albedo_mean
    lit = shade(seen.normals, light)
    power = (weights * lit.square()).sum(1)
    normal = torch.einsum("anc,bnc,dnc->bad", basis, power, basis) + torch.eye(len(basis)).to(basis)
    rest = (weights * lit * (seen.colours - mean * lit)).sum(1)
    right = torch.einsum("anc,bnc->ba", basis, rest) + predicted
    return _solve(normal, right)


def _solve(normal: Float[Tensor, "*batch C C"], right: Float[Tensor, "*batch C"]) -> Float[Tensor, "*batch C"]:
    # Not by LU, which fails for a batch on several threads (pytorch issue 142815).
    return torch.cholesky_solve(right[..., None], torch.linalg.cholesky(normal))[..., 0]
