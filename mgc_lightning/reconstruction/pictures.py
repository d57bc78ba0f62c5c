"""Pictures of one reconstructed face, in its crop and in its photograph."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.geometry.camera import REFERENCE_SIZE
from mgc_lightning.geometry.pose import pose_to_transform
from mgc_lightning.networks.face_network import main_pose_at
from mgc_lightning.pictures.drawing import BACKGROUND, Picture, overlay, to_picture, upscale
from mgc_lightning.pictures.figures import Figure, Style, draw_face
from mgc_lightning.pictures.landmarks import draw_landmarks
from mgc_lightning.pictures.sheets import label, sheet
from mgc_lightning.reconstruction.face import Reconstruction
from mgc_lightning.reconstruction.maps import face_window, window_intrinsics
from mgc_lightning.rendering.renderer import GREY, FaceRenderer
from mgc_lightning.structures import FaceMesh

SIDE_YAWS = (-35.0, 0.0, 35.0)
"""Degrees from the main pose of the views in the sheet."""
SIDE_DISTANCE = 1.2
"""Distance of those views over that of the main pose, so that the whole head is seen."""
PICTURE_SIZE = 224
"""Least side in px of pictures of the crop."""


def draw_pictures(face: Reconstruction, face_model: FaceModel, renderer: FaceRenderer) -> dict[str, Picture]:
    """Draw all pictures of a face, by name."""
    mesh = _batched(face.mesh)
    light = face.coefficients.light[None]
    region = face_model.face_region_faces
    # Small crops are enlarged, and drawn on at the larger size.
    crop = upscale(face.crop, PICTURE_SIZE)
    factor = crop.shape[0] / face.crop.shape[-1]

    grey = dataclasses.replace(mesh, albedo=torch.full_like(mesh.albedo, GREY))

    def in_crop(style: Style, shown: FaceMesh = mesh) -> Picture:
        figure = draw_face(
            renderer,
            shown,
            face.T_crop_model[None],
            _scaled(face.K_crop, factor),
            crop.shape[0],
            style,
            light=light,
            faces=region,
        )
        return overlay(crop, figure.image[0], figure.alpha[0])

    pictures = {
        "crop": to_picture(face.crop),
        "crop_overlay": in_crop("lit"),
        "crop_albedo": in_crop("albedo"),
        "crop_light": in_crop("lit", grey),
        "crop_geometry": in_crop("geometry"),
        "overlay": draw_in_photograph(face, face_model, renderer),
        "geometry": draw_in_photograph(face, face_model, renderer, "geometry"),
        "main_pose": _view(face, face_model, renderer, mesh, 0.0, "lit"),
        "main_pose_geometry": _view(face, face_model, renderer, mesh, 0.0),
        "landmarks": draw_landmarks(face.image, face.landmarks),
    }
    landmarks = draw_landmarks(crop, face.landmarks_crop * factor)
    views = [_view(face, face_model, renderer, mesh, math.radians(yaw)) for yaw in SIDE_YAWS]
    parts = ("overlay", "geometry", "albedo", "light")
    shown = {"crop": crop, "landmarks": landmarks} | {part: pictures[f"crop_{part}"] for part in parts}
    shown |= {f"yaw {yaw:+.0f}°": view for yaw, view in zip(SIDE_YAWS, views, strict=True)}
    titled = [label(picture, title) for title, picture in shown.items()]
    pictures["sheet"] = sheet([titled[:5], titled[5:]], tile=titled[0].shape[0])
    return pictures


def _scaled(K: Float[Tensor, "3 3"], factor: float) -> Float[Tensor, "3 3"]:
    """Give the intrinsics of an image that is `factor` times as large."""
    return K * K.new_tensor([factor, factor, 1.0])[:, None]


def _paste(face: Reconstruction, draw: Callable[[Tensor, tuple[int, int]], Figure]) -> Picture:
    picture = to_picture(face.image).copy()
    x0, y0, x1, y1 = window = face_window(face)
    if x1 > x0:
        figure = draw(window_intrinsics(face.K, window), (y1 - y0, x1 - x0))
        picture[y0:y1, x0:x1] = overlay(face.image[:, y0:y1, x0:x1], figure.image[0], figure.alpha[0])
    return picture


def draw_in_photograph(
    face: Reconstruction, face_model: FaceModel, renderer: FaceRenderer, style: Style = "lit"
) -> Picture:
    """Draw a face on its photograph in a style of `draw_face`.

    Example:
        >>> from mgc_lightning import FaceReconstructor, FaceRenderer
        >>> from mgc_lightning.losses.identity import TEMPLATE_68
        >>> reconstructor = FaceReconstructor.from_pretrained()
        >>> face = reconstructor.reconstruct(torch.rand(3, 224, 224), landmarks=torch.tensor(TEMPLATE_68))
        >>> picture = draw_in_photograph(face, reconstructor.face_model, FaceRenderer(), "geometry")
        >>> picture.shape, bool((picture[0] == to_picture(face.image)[0]).all())  # above the face, the photograph
        ((224, 224, 3), False)
    """
    mesh = _batched(face.mesh)

    def draw(K: Tensor, window: tuple[int, int]) -> Figure:
        light = face.coefficients.light[None]
        region = face_model.face_region_faces
        return draw_face(renderer, mesh, face.T_cam_model[None], K, window, style, light=light, faces=region)

    return _paste(face, draw)


def _batched(mesh: FaceMesh) -> FaceMesh:
    return FaceMesh(mesh.verts[None], mesh.faces, mesh.normals[None], mesh.albedo[None])


def _view(
    face: Reconstruction,
    face_model: FaceModel,
    renderer: FaceRenderer,
    mesh: FaceMesh,
    yaw: float,
    style: Style = "geometry",
) -> Picture:
    """Draw the whole head, turned from the main pose; without teeth, which are coarse strips in some models."""
    focal = float(face.K_crop[0, 0]) / face.crop.shape[-1] * REFERENCE_SIZE
    pose = main_pose_at(face_model.main_pose, focal)
    pose[1] += yaw
    pose[5] *= SIDE_DISTANCE
    K = _scaled(face.K_crop, PICTURE_SIZE / face.crop.shape[-1])
    hidden = [name for name in ("teeth",) if name in face_model.region_names]
    figure = draw_face(
        renderer,
        mesh,
        pose_to_transform(pose[None]),
        K,
        PICTURE_SIZE,
        style,
        light=face.coefficients.light[None],
        faces=face_model.faces_without(*hidden),
    )
    ground = figure.image.new_tensor(BACKGROUND)[:, None, None] / 255
    return overlay(ground.expand_as(figure.image[0]), figure.image[0], figure.alpha[0])
