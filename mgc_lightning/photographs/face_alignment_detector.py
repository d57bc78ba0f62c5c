"""The `face-alignment` package: SFD finds faces, FAN their landmarks of the 3D type, as MGCNet does."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import face_alignment
import face_alignment.api
import face_alignment.detection.sfd.sfd_detector
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.photographs.detection import DetectedFace
from mgc_lightning.photographs.weights import find_weights, load_weights

FAN_URL = face_alignment.api.models_urls["3DFAN-4"]
SFD_URL = face_alignment.detection.sfd.sfd_detector.models_urls["s3fd"]


class _FaceAlignment(face_alignment.FaceAlignment):
    """The package's class, its weights taken from a given file."""

    def __init__(self, fan: Path, **options: Any) -> None:
        self._fan = fan
        super().__init__(**options)

    def _load_native(self, network_name: str, network_size: int, device: str, dtype: torch.dtype) -> Any:
        network = face_alignment.api.FAN(network_size)
        try:
            network.load_state_dict(load_weights(self._fan, device))
        except RuntimeError as error:
            raise MGCError(f"{self._fan}: not the weights of 3DFAN-4 ({str(error)[:200]})") from error
        return network.to(device, dtype=dtype).eval()


class FaceAlignmentDetector:
    """Detect faces by SFD, and 68 landmarks by FAN: x and y of the 3D type (Bulat and Tzimiropoulos, ICCV 2017).

    Args:
        device: cpu, cuda, ...
        weights: files `s3fd-*.pth` and `3DFAN4-*.pth.tar`, or folders that hold them; else the cache, else a
            download.

    Raises:
        MGCError: if weights are missing or damaged.

    Example:
        >>> detector = FaceAlignmentDetector("cpu", weights=[Path("weights")])  # doctest: +SKIP
        >>> detector.detect(torch.zeros(3, 480, 640))  # a black picture has no face  # doctest: +SKIP
        []
    """

    def __init__(self, device: str = "cpu", weights: Sequence[str | Path] = ()) -> None:
        sfd, fan = find_weights(SFD_URL, weights), find_weights(FAN_URL, weights)
        try:
            self._network = _FaceAlignment(
                fan,
                # The projections of the 3D points; the depth network is not needed.
                landmarks_type=face_alignment.LandmarksType.TWO_HALF_D,
                device=device,
                flip_input=False,
                compile=False,
                face_detector_kwargs={"path_to_detector": str(sfd)},
            )
        except RuntimeError as error:
            raise MGCError(f"{sfd}: not the weights of SFD ({str(error)[:200]})") from error

    def detect(self, image: Float[Tensor, "3 H W"], path: Path | None = None) -> list[DetectedFace]:
        """Detect all faces."""
        array = (image.permute(1, 2, 0).cpu().numpy() * 255).round().astype(np.uint8)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="No faces were detected")
            points, scores, found = self._network.get_landmarks_from_image(
                array, return_bboxes=True, return_landmark_score=True
            )
        if points is None:
            return []
        return [
            DetectedFace(
                torch.as_tensor(np.asarray(face), dtype=torch.float32)[:, :2],
                float(box[4]),
                torch.as_tensor(np.asarray(score), dtype=torch.float32).reshape(-1).clamp(0, 1),
                "face-alignment",
            )
            for face, score, box in zip(points, scores, found, strict=True)
        ]
