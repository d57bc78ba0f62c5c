"""MediaPipe's face mesh, whose weights come with its wheel, reduced to 68 landmarks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.errors import require
from mgc_lightning.photographs.detection import DetectedFace

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
    """Read the 68 points off a face mesh."""
    rows = [row if isinstance(row, tuple) else (row, row, 0.0) for row in MESH_TO_68]
    first, second = mesh[[row[0] for row in rows]], mesh[[row[1] for row in rows]]
    return torch.lerp(first, second, torch.tensor([row[2] for row in rows]).to(mesh)[:, None])


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
            DetectedFace(
                landmarks_of_mesh(torch.tensor([[point.x, point.y] for point in face.landmark])) * size,
                convention="mediapipe",
            )
            for face in found
        ]
