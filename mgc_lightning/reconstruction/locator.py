"""Where the face of a photograph is: by its landmarks, by a box around it, or by a detector."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import Tensor

from mgc_lightning.errors import MGCError, check_choice
from mgc_lightning.networks.predictor import Predictor
from mgc_lightning.photographs.crop import (
    five_points,
    similarity_to_template,
)
from mgc_lightning.photographs.detection import DetectedFace, FaceDetector, detect_shrunk
from mgc_lightning.photographs.detectors import make_detector
from mgc_lightning.photographs.landmark_files import checked_landmarks, read_landmarks
from mgc_lightning.photographs.plausible import check_plausible_box, check_plausible_landmarks
from mgc_lightning.photographs.settings import DetectorChoice
from mgc_lightning.reconstruction.recrop import SettledCrop, settle_box


class FaceLocator:
    """Find the crop of a face in a photograph.

    Args:
        predictor: predicts the points on which a box is cut again; its image size is that of crops.
        detector: finds landmarks where neither landmarks nor a box are given; a name is made at the first photograph
            that needs it.
        device: where a detector that is made runs.
    """

    def __init__(
        self,
        predictor: Predictor,
        detector: FaceDetector | DetectorChoice | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        if isinstance(detector, str):
            check_choice("detector", detector, DetectorChoice)
        self.predictor = predictor
        self.detector = detector
        self.device = torch.device(device)

    @property
    def image_size(self) -> int:
        """Side of the crops in px."""
        return self.predictor.image_size

    def detect(self, image: Float[Tensor, "3 H W"], path: str | Path | None = None) -> list[DetectedFace]:
        """Find the faces of a photograph, the largest first.

        Raises:
            MGCError: if there is no detector.
        """
        if self.detector is None:
            raise MGCError(
                "Where is the face? Give its `landmarks` (5 or 68 points), a `box` around it (x0, y0, x1, y1), or a "
                "`detector`"
            )
        if isinstance(self.detector, str):
            self.detector = make_detector(self.detector, str(self.device))
        return detect_shrunk(self.detector, image, None if path is None else Path(path))

    def align(
        self,
        image: Float[Tensor, "3 H W"],
        landmarks: str | Path | ArrayLike | Tensor | None = None,
        box: Sequence[float] | None = None,
    ) -> Float[Tensor, "2 3"]:
        """Find the similarity from the photograph to the crop, by landmarks, by box, or by the detector.

        Raises:
            MGCError: if landmarks or box cannot be those of a face in this photograph, or neither is given and there
                is no detector, or it finds no face.
        """
        return self.locate(image, landmarks, box)[0]

    def locate(
        self,
        image: Float[Tensor, "3 H W"],
        landmarks: ArrayLike | Tensor | str | Path | None,
        box: Sequence[float] | None,
    ) -> tuple[Float[Tensor, "2 3"], Float[Tensor, "68 2"] | None, Float[Tensor, "468 2"] | None]:
        """Find the crop as `align`, the 68 points that it was found by, if it was, and the mesh of a detector."""
        if landmarks is not None and box is not None:
            raise MGCError("Give either `landmarks` or `box`, not both")
        if box is not None:
            return self.settle(image, box).crop_from_image, None, None
        if landmarks is None:
            faces = self.detect(image)
            if not faces:
                raise MGCError("No face was found; give its `landmarks`, or a `box` around it")
            return self.align_points(faces[0].landmarks), faces[0].landmarks, faces[0].mesh
        if isinstance(landmarks, str | Path):
            points, name = read_landmarks(landmarks), str(landmarks)
        else:
            points, name = checked_landmarks(_numbers("landmarks", landmarks, "5 or 68 points (x, y)")), "landmarks"
        points = check_plausible_landmarks(points, *image.shape[-2:], name=name)
        return self.align_points(points), points if len(points) == 68 else None, None

    def settle(self, image: Float[Tensor, "3 H W"], box: Sequence[float]) -> SettledCrop:
        """Find the similarity from the photograph to the crop by a box, cut again on predicted points until it stands.

        Args:
            image: (3, H, W).
            box: x0, y0, x1, y1 px around the face, hairline to chin; it may be loose, tight, or off by a sixth.

        Raises:
            MGCError: if it cannot hold a face of this photograph.
        """
        given = check_plausible_box(_numbers("box", box, "x0, y0, x1, y1").float(), *image.shape[-2:])
        return settle_box(self.predictor, image, given)

    def align_points(self, points: Float[Tensor, "P 2"]) -> Float[Tensor, "2 3"]:
        """Find the similarity from a photograph to the crop by 5 or 68 points, px, that are known to be a face's."""
        return similarity_to_template(points if len(points) == 5 else five_points(points), self.image_size)


def _numbers(name: str, given: ArrayLike | Tensor, expected: str) -> Tensor:
    """Take numbers of any form, or say what was expected."""
    try:
        return torch.as_tensor(given).detach().cpu()
    except (TypeError, ValueError, RuntimeError) as error:
        raise MGCError(f"`{name}`: expected {expected} in px, got {given!r}") from error
