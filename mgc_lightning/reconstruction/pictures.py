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
from mgc_lightning.pictures.figures import Style, draw_face
from mgc_lightning.pictures.landmarks import draw_landmarks
from mgc_lightning.pictures.sheets import label, sheet
from mgc_lightning.reconstruction.face import PlacedFace
from mgc_lightning.reconstruction.maps import face_window, window_intrinsics
from mgc_lightning.rendering.renderer import GREY, FaceRenderer
from mgc_lightning.structures import FaceMesh

SIDE_YAWS = (-35.0, 0.0, 35.0)
"""Degrees from the main pose of the views in the sheet."""
SIDE_DISTANCE = 1.2
"""Distance of those views over that of the main pose, so that the whole head is seen."""
PICTURE_SIZE = 224
"""Least side in px of pictures of the crop."""
SMOOTH_SIZE = 1024
"""Side in px up to which faces in photographs are drawn with smooth edges, at four times the cost."""


class FacePictures:
    """Draw the pictures of one face, each when it is asked for, and once.

    Example:
        >>> from mgc_lightning import FaceReconstructor, FaceRenderer
        >>> from mgc_lightning.losses.identity import TEMPLATE_68
        >>> reconstructor = FaceReconstructor.from_pretrained()
        >>> face = reconstructor.reconstruct(torch.rand(3, 224, 224), landmarks=torch.tensor(TEMPLATE_68))
        >>> pictures = FacePictures(face, reconstructor.face_model, FaceRenderer())
        >>> pictures["overlay"].shape, pictures["main_pose"].shape
        ((224, 224, 3), (224, 224, 3))
    """

    def __init__(self, face: PlacedFace, face_model: FaceModel, renderer: FaceRenderer) -> None:
        self.face, self.face_model, self.renderer = face, face_model, renderer
        self.mesh = _batched(face.mesh)
        # Small crops are enlarged, and drawn on at the larger size.
        self.crop = upscale(face.crop, PICTURE_SIZE)
        self._drawn: dict[str, Picture] = {}
        self._draw: dict[str, Callable[[], Picture]] = {
            "crop": lambda: to_picture(face.crop),
            "crop_overlay": lambda: self._in_crop("lit"),
            "crop_albedo": lambda: self._in_crop("albedo"),
            "crop_light": lambda: self._in_crop("lit", grey=True),
            "crop_geometry": lambda: self._in_crop("geometry"),
            "overlay": lambda: draw_in_photograph(face, face_model, renderer),
            "geometry": lambda: draw_in_photograph(face, face_model, renderer, "geometry"),
            "main_pose": lambda: _view(face, face_model, renderer, self.mesh, 0.0, "lit"),
            "main_pose_geometry": lambda: _view(face, face_model, renderer, self.mesh, 0.0),
            "landmarks": lambda: draw_landmarks(face.image, face.landmarks),
            "sheet": self._sheet,
        }

    def __getitem__(self, name: str) -> Picture:
        """Give a picture by the name of its file."""
        if name not in self._drawn:
            self._drawn[name] = self._draw[name]()
        return self._drawn[name]

    @property
    def _factor(self) -> float:
        return self.crop.shape[0] / self.face.crop.shape[-1]

    def _in_crop(self, style: Style, grey: bool = False) -> Picture:
        mesh = dataclasses.replace(self.mesh, albedo=torch.full_like(self.mesh.albedo, GREY)) if grey else self.mesh
        figure = draw_face(
            self.renderer,
            mesh,
            self.face.T_crop_model[None],
            _scaled(self.face.K_crop, self._factor),
            self.crop.shape[0],
            style,
            light=self.face.coefficients.light[None],
            faces=self.face_model.face_region_faces,
        )
        return overlay(self.crop, figure.image[0], figure.alpha[0])

    def _sheet(self) -> Picture:
        """Put all at a glance: the crop, the face in it in four ways, and from three sides."""
        shown = {"crop": self.crop, "landmarks": draw_landmarks(self.crop, self.face.landmarks_crop * self._factor)}
        shown |= {part: self[f"crop_{part}"] for part in ("overlay", "geometry", "albedo", "light")}
        for yaw in SIDE_YAWS:
            view = _view(self.face, self.face_model, self.renderer, self.mesh, math.radians(yaw))
            shown[f"yaw {yaw:+.0f}°"] = view
        titled = [label(picture, title) for title, picture in shown.items()]
        return sheet([titled[:5], titled[5:]], tile=titled[0].shape[0])


def _scaled(K: Float[Tensor, "3 3"], factor: float) -> Float[Tensor, "3 3"]:
    """Give the intrinsics of an image that is `factor` times as large."""
    return K * K.new_tensor([factor, factor, 1.0])[:, None]


def draw_in_photograph(
    face: PlacedFace, face_model: FaceModel, renderer: FaceRenderer, style: Style = "lit"
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
    picture = to_picture(face.image)
    region = face_model.face_region_faces
    x0, y0, x1, y1 = window = face_window(face, faces=region)
    if x1 > x0:
        size = (y1 - y0, x1 - x0)
        figure = draw_face(
            renderer,
            _batched(face.mesh),
            face.T_cam_model[None],
            window_intrinsics(face.K, window),
            size,
            style,
            light=face.coefficients.light[None],
            faces=region,
            # The steps of an edge are too small to be seen where the face is large.
            supersample=2 if max(size) <= SMOOTH_SIZE else 1,
        )
        picture[y0:y1, x0:x1] = overlay(picture[y0:y1, x0:x1], figure.image[0], figure.alpha[0])
    return picture


def _batched(mesh: FaceMesh) -> FaceMesh:
    return FaceMesh(mesh.verts[None], mesh.faces, mesh.normals[None], mesh.albedo[None])


def _view(
    face: PlacedFace,
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
