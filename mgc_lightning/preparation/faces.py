"""One photograph to one encoded face: read, detect, align, segment, judge."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import FaceModel, load_face_model
from mgc_lightning.photographs.conventions import SLIDING_TO, jaw_trust, slides
from mgc_lightning.photographs.crop import (
    five_points,
    similarity_to_template,
    transform_points2d,
    warp_to_crop,
)
from mgc_lightning.photographs.detection import DetectedFace, FaceDetector, LandmarkFolder, detect_shrunk, read_68
from mgc_lightning.photographs.detectors import make_detector
from mgc_lightning.photographs.head_pose import head_pose, yaw_degrees
from mgc_lightning.photographs.plausible import check_plausible_landmarks
from mgc_lightning.photographs.quality import (
    RejectedError,
    check_scale,
    check_sharpness,
    check_yaw,
    choose_face,
    inside,
    sharpness,
)
from mgc_lightning.photographs.skin import MaskFolder, SkinColours, SkinSegmenter, face_area
from mgc_lightning.photographs.sources.known import read_mat_landmarks
from mgc_lightning.photographs.sources.photo import Photo
from mgc_lightning.photographs.sources.read import read_source_photo
from mgc_lightning.preparation.settings import FaceSettings
from mgc_lightning.triplets.samples import ViewFiles, encode_jpeg

MIN_INSIDE = 0.6
"""Share of the landmarks that must lie in the picture."""


DetectorFactory = Callable[[FaceSettings, Path], FaceDetector]
"""Makes the detector in each process; gets the settings and the root of the photographs."""


def choose_detector(settings: FaceSettings, root: Path) -> FaceDetector:
    """Make the detector of the settings.

    Raises:
        MGCError: if its weights or its package are missing.

    Example:
        >>> import tempfile
        >>> settings = FaceSettings(landmarks=Path(tempfile.mkdtemp()))
        >>> type(choose_detector(settings, Path("photos"))).__name__
        'LandmarkFolder'
    """
    if settings.landmarks is not None:
        return LandmarkFolder(settings.landmarks, root, settings.convention)
    return make_detector(settings.detector, settings.device, settings.weights)


def make_segmenter(settings: FaceSettings, root: Path) -> SkinSegmenter:
    """Make the skin segmenter of the settings.

    Raises:
        MGCError: if its package is missing.
    """
    if settings.masks is not None:
        return MaskFolder(settings.masks, root)
    if settings.skin == "parsing":
        from mgc_lightning.photographs.skin_parsing import SkinParsing

        return SkinParsing()
    return SkinColours()


class FacePreparer:
    """Turn photographs into encoded faces; one a process.

    Args:
        settings: of the faces.
        root: of the photographs.
        detector: makes the detector, at the first photograph that needs it.

    Example:
        >>> import tempfile
        >>> from mgc_lightning.losses.identity import TEMPLATE_68
        >>> from mgc_lightning.photographs.detection import DetectedFace
        >>> from mgc_lightning.pictures.drawing import save_png
        >>> class Known:
        ...     def detect(self, image, path=None):
        ...         return [DetectedFace(torch.tensor(TEMPLATE_68))]
        >>> photo = Photo("1.png", save_png(f"{tempfile.mkdtemp()}/1.png", torch.rand(3, 224, 224)))
        >>> preparer = FacePreparer(FaceSettings(size=64), photo.path.parent, detector=lambda settings, root: Known())
        >>> view = preparer.prepare(photo)
        >>> view.facts["name"], len(view.facts["landmarks"]), abs(view.facts["yaw"]) < 15
        ('1.png', 68, True)
    """

    def __init__(self, settings: FaceSettings, root: str | Path, detector: DetectorFactory = choose_detector) -> None:
        root = Path(root)
        self.settings, self.root = settings, root
        self._make_detector = detector
        self._detector: FaceDetector | None = None
        self.segmenter = make_segmenter(settings, root)
        self.face_model: FaceModel = load_face_model(settings.face_model)

    @property
    def detector(self) -> FaceDetector:
        """The detector, made when first asked for."""
        if self._detector is None:
            self._detector = self._make_detector(self.settings, self.root)
        return self._detector

    @torch.no_grad()
    def prepare(self, photo: Photo) -> ViewFiles:
        """Prepare a photograph's face.

        Raises:
            RejectedError: with the reason, if the photograph gives no face.
        """
        limits = self.settings.limits
        try:
            image = read_source_photo(photo)
        except Exception as error:  # damaged files make decoders raise anything
            raise RejectedError("unreadable", str(error) or type(error).__name__) from error
        height, width = image.shape[-2:]
        face = choose_face(self._faces(image, photo), limits)
        if inside(face.landmarks, height, width) < MIN_INSIDE:
            raise RejectedError("face outside the picture")
        try:
            matrix = similarity_to_template(five_points(face.landmarks), self.settings.size)
        except MGCError as error:
            raise RejectedError("landmarks coincide", str(error)) from error
        check_scale(matrix, limits)
        crop = warp_to_crop(image[None], matrix[None], self.settings.size, antialias=True)[0].clamp(0, 1)
        landmarks = transform_points2d(matrix, face.landmarks)
        focus = sharpness(crop, face_area(landmarks, self.settings.size))
        check_sharpness(focus, limits)
        sliding = slides(face.convention)
        weights = jaw_trust(SLIDING_TO) if sliding else None
        yaw = float(yaw_degrees(head_pose(self.face_model, landmarks, self.settings.size, weights=weights)))
        check_yaw(yaw, limits)
        skin = self._skin(crop, landmarks, photo, matrix)
        facts = _facts(photo, landmarks, matrix, yaw, focus, (height, width))
        if sliding:
            facts["landmark_weights"] = [round(weight, 3) for weight in jaw_trust(yaw).tolist()]
        return ViewFiles(encode_jpeg(crop, self.settings.quality), encode_jpeg(skin, 90), facts)

    def _faces(self, image: Float[Tensor, "3 H W"], photo: Photo) -> list[DetectedFace]:
        if photo.landmarks is not None and self.settings.landmarks is None:
            try:
                matlab = photo.landmarks.suffix == ".mat"
                points = read_mat_landmarks(photo.landmarks) if matlab else read_68(photo.landmarks)
                check_plausible_landmarks(points, *image.shape[-2:], name=str(photo.landmarks))
                return [DetectedFace(points, convention="ibug" if matlab else self.settings.convention).in_ibug()]
            except MGCError as error:
                raise RejectedError("bad landmarks", str(error)) from error
        # Outside the `try`: missing weights end the run, they refuse no photograph.
        detector = self.detector
        try:
            return detect_shrunk(detector, image, self._place(photo))
        except MGCError as error:
            raise RejectedError("bad landmarks", str(error)) from error
        except (RuntimeError, ValueError, IndexError, ZeroDivisionError) as error:
            # A detector that stumbles over an odd picture must not end the run.
            raise RejectedError("detector failed", f"{type(error).__name__}: {error}") from error

    def _skin(self, crop: Tensor, landmarks: Tensor, photo: Photo, matrix: Tensor) -> Float[Tensor, "1 S S"]:
        try:
            return self.segmenter.segment(crop, landmarks, self._place(photo), matrix).clamp(0, 1)
        except MGCError as error:
            raise RejectedError("no skin mask", str(error)) from error

    def _place(self, photo: Photo) -> Path:
        """Give the path that given landmarks and masks are found by; frames have one of their own."""
        return self.root / f"{photo.name}.png" if photo.frame >= 0 else photo.path


def _facts(
    photo: Photo, landmarks: Tensor, matrix: Tensor, yaw: float, focus: float, size: tuple[int, int]
) -> dict[str, Any]:
    return {
        "name": photo.name,
        "identity": photo.identity,
        "capture": photo.capture,
        "yaw": round(yaw, 2),
        "sharpness": round(focus, 2),
        "image_size": list(size),
        "crop_from_image": [[round(x, 6) for x in row] for row in matrix.tolist()],
        "landmarks": [[round(x, 3) for x in point] for point in landmarks.tolist()],
    }
