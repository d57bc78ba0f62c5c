"""A sheet to look at: what went in, what came out, from elsewhere, and how wrong it is."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from mgc_lightning.coefficients import FaceCoefficients
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.geometry.alignment import apply_similarity, similarity_fit
from mgc_lightning.geometry.camera import project
from mgc_lightning.geometry.pose import pose_to_transform, transform_points
from mgc_lightning.pictures.drawing import Picture, overlay, to_picture
from mgc_lightning.pictures.error_ramp import color_bar, error_colors
from mgc_lightning.pictures.figures import Figure, draw_face
from mgc_lightning.pictures.landmarks import draw_landmarks
from mgc_lightning.pictures.sheets import label, sheet
from mgc_lightning.rendering.renderer import FaceRenderer
from mgc_lightning.structures import FaceMesh

COLUMNS = ("input", "overlay", "geometry", "another view", "landmarks")
SIDE_VIEW = 35.0
"""Degrees between the photograph's view and the other one."""
SIDE_DISTANCE = 1.3
"""Distance of the other view over that of the photograph."""
TRUE_COLOR, PREDICTED_COLOR = (90, 230, 90), (255, 90, 90)


@dataclass
class SheetRow:
    """Hold what one row shows; unbatched.

    Attributes:
        image: (3, S, S).
        coefficients: absolute.
        K: (3, 3) px of the image.
        landmarks: (68, 2) px, detected or true.
        truth: (N, 3) mm, true vertices with expression, if known.
        name: of the sample.
    """

    image: Float[Tensor, "3 S S"]
    coefficients: FaceCoefficients
    K: Float[Tensor, "3 3"]
    landmarks: Float[Tensor, "68 2"]
    truth: Float[Tensor, "N 3"] | None
    name: str


def draw_contact_sheet(
    rows: list[SheetRow], face_model: FaceModel, renderer: FaceRenderer, tile: int = 224, error_limit: float = 6.0
) -> Picture:
    """Draw input, overlay, geometry, another view, landmarks and, where the truth is known, the error map in mm.

    Args:
        rows: faces to show.
        face_model: decodes them.
        renderer: draws them.
        tile: side of a picture in px.
        error_limit: error in mm that gets the last colour.

    Example:
        >>> from mgc_lightning import FaceRenderer, load_face_model
        >>> from mgc_lightning.geometry import intrinsics
        >>> model, K = load_face_model(), intrinsics(48)
        >>> face = model.mean_coefficients(batch_size=1).map(lambda group: group[0])
        >>> row = SheetRow(torch.rand(3, 48, 48), face, K, 48 * torch.rand(68, 2), truth=None, name="anna")
        >>> draw_contact_sheet([row], model, FaceRenderer(), tile=48).shape
        (96, 264, 3)
    """
    scored = any(row.truth is not None for row in rows)
    columns = [*COLUMNS, "error, mm"] if scored else list(COLUMNS)
    pictures = [_draw_row(row, face_model, renderer, tile, error_limit, scored) for row in rows]
    if scored:
        pictures[0].append(color_bar(error_limit, height=tile))
    return sheet(pictures, columns, [row.name for row in rows], tile=tile)


def _draw_row(
    row: SheetRow, face_model: FaceModel, renderer: FaceRenderer, tile: int, error_limit: float, scored: bool
) -> list[Picture | None]:
    coefficients = row.coefficients.map(lambda c: c[None])
    mesh, T = face_model(coefficients), pose_to_transform(coefficients.pose)
    factor = tile / row.image.shape[-1]
    K = row.K.new_tensor([factor, factor, 1.0])[:, None] * row.K
    photograph = F.interpolate(row.image[None], size=(tile, tile), mode="bicubic", antialias=True)[0].clamp(0, 1)
    dark, region = torch.full_like(photograph, 0.1), face_model.face_region_faces
    lit = draw_face(renderer, mesh, T, K, tile, "lit", light=coefficients.light, faces=region)
    grey = draw_face(renderer, mesh, T, K, tile)
    side = draw_face(renderer, mesh, turned(T, mesh, SIDE_VIEW), K, tile)
    projected = project(transform_points(T, face_model.landmarks68(mesh.verts)), row.K)[0]
    points = draw_landmarks(row.image, row.landmarks, TRUE_COLOR, minimum=2 * tile)
    points = draw_landmarks(points, projected * points.shape[0] / row.image.shape[-1], PREDICTED_COLOR)
    pictures: list[Picture | None] = [
        to_picture(photograph),
        _over(photograph, lit),
        _over(photograph, grey),
        _over(dark, side),
        points,
    ]
    if scored and row.truth is None:
        pictures.append(None)
    elif row.truth is not None:
        distances, mean = _errors(mesh.verts, row.truth[None], face_model)
        painted = replace(mesh, albedo=error_colors(distances, error_limit))
        figure = draw_face(renderer, painted, T, K, tile, "albedo", faces=region)
        pictures.append(label(_over(dark, figure), f"mean {mean:.2f} mm"))
    return pictures


def turned(T_cam_model: Float[Tensor, "B 4 4"], mesh: FaceMesh, degrees: float) -> Float[Tensor, "B 4 4"]:
    """Turn faces about the vertical axis through their middle, toward the side that shows more of a turned face."""
    centre = mesh.verts.mean(dim=1)
    facing = T_cam_model[:, :3, :3] @ T_cam_model.new_tensor([0.0, 0.0, 1.0])
    angle = torch.where(facing[:, 0] > 0, -1.0, 1.0) * math.radians(degrees)
    turn = torch.zeros(len(angle), 6, device=angle.device, dtype=angle.dtype)
    turn[:, 1] = -angle
    R = T_cam_model[:, :3, :3] @ pose_to_transform(turn)[:, :3, :3]
    result = T_cam_model.clone()
    result[:, :3, :3] = R
    middle = transform_points(T_cam_model, centre[:, None])[:, 0]
    # In the middle of the picture, and a little farther, so that the whole head is seen.
    middle = middle * middle.new_tensor([0.0, 0.0, SIDE_DISTANCE])
    result[:, :3, 3] = middle - (R @ centre[..., None])[..., 0]
    return result


def _over(ground: Tensor, figure: Figure) -> Picture:
    return overlay(ground, figure.image[0], figure.alpha[0])


def _errors(
    verts: Float[Tensor, "1 N 3"], truth: Float[Tensor, "1 N 3"], face_model: FaceModel
) -> tuple[Float[Tensor, "1 N"], float]:
    """Give every vertex's distance to the truth after the similarity that fits the face, and the face's mean, mm."""
    mask = face_model.face_mask
    fit = similarity_fit(verts[:, mask], truth[:, mask])
    distances = (apply_similarity(verts, *fit) - truth).norm(dim=-1)
    return distances, float(distances[0, mask].mean())
