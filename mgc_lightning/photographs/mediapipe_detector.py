"""MediaPipe's face mesh, whose weights come with its wheel, reduced to 68 landmarks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.errors import require
from mgc_lightning.photographs.detection import DetectedFace

MESH_TO_68 = (
    127, 234, 93, 132, 58, 172, 150, 176, 152, 400, 379, 397, 288, 361, 323, 454, 356,
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,
    168, 197, 5, 4, 75, 97, 2, 326, 305,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,
    78, 82, 13, 312, 308, 317, 14, 87,
)  # fmt: skip
"""Vertices of the face mesh nearest to the iBUG points, in iBUG order: they are points of the surface, as 3D-type
landmarks are; the correspondence is ours, by eye, a few px coarse at 224 px."""


class MediaPipeDetector:
    """Detect faces and landmarks by MediaPipe's face mesh.

    Args:
        faces: most faces of a picture.

    Raises:
        MissingExtraError: if mediapipe is not installed.
    """

    def __init__(self, faces: int = 5) -> None:
        mediapipe = require("mediapipe", "mediapipe")
        self._mesh = mediapipe.solutions.face_mesh.FaceMesh(
            static_image_mode=True, max_num_faces=faces, refine_landmarks=False, min_detection_confidence=0.5
        )

    def detect(self, image: Float[Tensor, "3 H W"], path: Path | None = None) -> list[DetectedFace]:
        """Detect faces."""
        height, width = image.shape[-2:]
        array = np.ascontiguousarray((image.permute(1, 2, 0).cpu().numpy() * 255).round().astype(np.uint8))
        found = self._mesh.process(array).multi_face_landmarks or []
        size = torch.tensor([width, height], dtype=torch.float32)
        return [
            DetectedFace(torch.tensor([[face.landmark[i].x, face.landmark[i].y] for i in MESH_TO_68]) * size)
            for face in found
        ]
