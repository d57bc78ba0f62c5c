"""MediaPipe's face mesh: where it is, and the 68 landmarks that it holds."""

from __future__ import annotations

import contextlib
import math
import os
import weakref
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.errors import require
from mgc_lightning.photographs.conventions import INNER, to_ibug
from mgc_lightning.photographs.crop import five_points, invert_similarity, transform_points2d, warp_to_crop
from mgc_lightning.photographs.retinaface import FaceBox
from mgc_lightning.photographs.wheel_weights import EXTRA, FACE_LANDMARKER

MARGINS = (1.0, 0.5, 1.5)
"""Around a box, as shares of its larger side: tried in this order until a mesh is found in it. The others save a third
of the faces that the first misses."""
CROP = 320
"""Side in px of the crops that the mesh is looked for in."""
FOREHEAD = 0.25
"""By which a box of landmarks is made higher: they end at the brows, and boxes of faces at the hair."""
AGREES = 0.06
"""Mean distance of the mesh's points from known ones, over half the perimeter of their box, up to which both show one
face."""
VERTICES = 468
"""Vertices of the mesh; ten more are the irises."""

# fmt: off
MESH_TO_68 = (
    127, (234, 93, 0.25), (93, 132, 0.55), (132, 58, 0.7), (58, 172, 0.9), (136, 150, 0.3), (150, 149, 0.85),
    (176, 148, 0.45), 152, (400, 377, 0.45), (379, 378, 0.85), (365, 379, 0.3), (288, 397, 0.9), (361, 288, 0.7),
    (323, 361, 0.55), (454, 323, 0.25), 356,
    (70, 46, 0.25), (63, 105, 0.3), (105, 66, 0.4), (66, 107, 0.4), (107, 9, 0.25),
    (336, 9, 0.25), (296, 336, 0.4), (334, 296, 0.4), (293, 334, 0.3), (300, 276, 0.25),
    168, (197, 6, 0.3), (5, 195, 0.5), 4, 75, 97, 2, 326, 305,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, (405, 321, 0.25), 314, 17, 84, (181, 91, 0.25),
    78, (82, 81, 0.35), 13, (312, 311, 0.35), 308, (317, 402, 0.25), 14, (87, 178, 0.25),
)
# fmt: on
"""Vertices of the face mesh at the iBUG points, in iBUG order, or points between two vertices with the share of the
second. They are points of the head, jaw included, as 3D-type landmarks are. The shares were fitted on renders of the
embedded head at yaws up to 55 degrees, and on frontal photographs; what remains is in the table of offsets."""


def landmarks_of_mesh(mesh: Float[Tensor, "468 D"]) -> Float[Tensor, "68 D"]:
    """Read the 68 points off a face mesh.

    Example:
        >>> landmarks_of_mesh(torch.arange(468.0)[:, None].expand(-1, 3)).shape
        torch.Size([68, 3])
    """
    rows = [row if isinstance(row, tuple) else (row, row, 0.0) for row in MESH_TO_68]
    first, second = mesh[[row[0] for row in rows]], mesh[[row[1] for row in rows]]
    return torch.lerp(first, second, torch.tensor([row[2] for row in rows]).to(mesh)[:, None])


class MeshFinder:
    """Find MediaPipe's face mesh where a face is known to be.

    Raises:
        MissingExtraError: if mediapipe, or the package that carries its weights, is not installed.
        MGCError: if the package has other weights.
    """

    def __init__(self) -> None:
        task = FACE_LANDMARKER.read()
        self._mediapipe = require("mediapipe", EXTRA)
        vision = require("mediapipe.tasks.python.vision", EXTRA)
        options = vision.FaceLandmarkerOptions(
            base_options=self._mediapipe.tasks.BaseOptions(model_asset_buffer=task),
            num_faces=1,
            # It is known that there is one.
            min_face_detection_confidence=0.1,
        )
        with _quiet():
            self._landmarker = vision.FaceLandmarker.create_from_options(options)
            self._landmarker.detect(self._picture(torch.zeros(3, CROP, CROP)))
        # Its own `__del__` fails where Python is shutting down.
        weakref.finalize(self, self._landmarker.close)

    def in_box(self, image: Float[Tensor, "3 H W"], face: FaceBox) -> Float[Tensor, "468 2"] | None:
        """Give the mesh of the face in a box, px of the image; None if none is found (few profiles are)."""
        return next((mesh for margin in MARGINS if (mesh := self._mesh(image, face, margin)) is not None), None)

    def around(self, image: Float[Tensor, "3 H W"], landmarks: Float[Tensor, "68 2"]) -> Float[Tensor, "468 2"] | None:
        """Give the mesh of the face that has these landmarks (iBUG's), px; None if it has others than those."""
        landmarks = landmarks.cpu().float()
        mesh = self.in_box(image.cpu(), box_of(landmarks))
        if mesh is None:
            return None
        size = float((landmarks.amax(0) - landmarks.amin(0)).sum())
        away = (to_ibug(landmarks_of_mesh(mesh), "mediapipe") - landmarks)[INNER].norm(dim=1).mean()
        return mesh if float(away) < AGREES * size else None

    def _mesh(self, image: Tensor, face: FaceBox, margin: float) -> Float[Tensor, "468 2"] | None:
        matrix = level_crop(face, margin)
        crop = warp_to_crop(image[None], matrix[None], CROP, padding="zeros", antialias=True)[0]
        meshes = self._landmarker.detect(self._picture(crop)).face_landmarks
        if not meshes:
            return None
        points = torch.tensor([[point.x, point.y] for point in meshes[0][:VERTICES]]) * CROP
        mesh = transform_points2d(invert_similarity(matrix), points)
        # In a crowd it may have found a neighbour.
        centre = (face.box[:2] + face.box[2:]) / 2
        return mesh if float((mesh.mean(dim=0) - centre).norm()) < face.side / 2 else None

    def _picture(self, crop: Tensor) -> Any:
        pixels = (crop.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        return self._mediapipe.Image(image_format=self._mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(pixels))


@cache
def mesh_finder() -> MeshFinder:
    """Give the one finder of this process.

    Raises:
        MissingExtraError: as `MeshFinder`.
    """
    return MeshFinder()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what MediaPipe's C++ says on standard error when it starts; errors are raised, and pass."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def level_crop(face: FaceBox, margin: float, size: int = CROP) -> Float[Tensor, "2 3"]:
    """Give the similarity to a crop around a face, its eyes level: (2, 3), px of the photograph to px of the crop.

    Args:
        face: the box, and five points.
        margin: around the box, as a share of its larger side.
        size: side of the crop in px.

    Example:
        >>> points = torch.tensor([[40.0, 60.0], [60.0, 40.0], [60.0, 60.0], [50.0, 80.0], [70.0, 60.0]])
        >>> face = FaceBox(torch.tensor([20.0, 20.0, 80.0, 80.0]), 0.9, points)
        >>> matrix = level_crop(face, margin=1.0, size=320)
        >>> (points[:2] @ matrix[:, :2].mT + matrix[:, 2])[:, 1].round()  # the eyes are on one line
        tensor([160., 160.])
    """
    centre, side = (face.box[:2] + face.box[2:]) / 2, face.side
    x, y = (face.points[1] - face.points[0]).tolist()
    # Eyes that nearly coincide, in a profile, say nothing of the roll.
    roll = math.atan2(y, x) if math.hypot(x, y) > 0.15 * side * (1 + margin) / 2 else 0.0
    scale = size / (side * (1 + margin))
    linear = scale * torch.tensor([[math.cos(roll), math.sin(roll)], [-math.sin(roll), math.cos(roll)]])
    return torch.cat([linear, (size / 2 - linear @ centre)[:, None]], dim=1)


def box_of(landmarks: Float[Tensor, "68 2"]) -> FaceBox:
    """Give the box of a face with known landmarks, as a detector of faces draws it.

    Example:
        >>> from mgc_lightning.losses.identity import TEMPLATE_68
        >>> box_of(torch.tensor(TEMPLATE_68)).box.round().tolist()  # the points span 14.25 to 209.75 px both ways
        [14.0, -35.0, 210.0, 210.0]
    """
    low, high = landmarks.amin(0), landmarks.amax(0)
    low = low - torch.stack([low.new_zeros(()), FOREHEAD * (high - low)[1]])
    return FaceBox(torch.cat([low, high]), 1.0, five_points(landmarks))
