"""What determines a set: compared when work is resumed; nothing here imports torch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

from mgc_lightning.arguments.checked import Checked
from mgc_lightning.arguments.types import AnyPath, Count, Folder, Metavar, NameOrPath, Seconds, Within
from mgc_lightning.face_models.names import EMBEDDED
from mgc_lightning.photographs.settings import CROP_SIZE, Convention, DetectorName, QualityLimits, SkinModel, SourceKind
from mgc_lightning.triplets.grouping import GroupingSettings


@dataclass(frozen=True)
class FaceSettings(Checked):
    """Set how photographs become crops.

    Attributes:
        size: side of the crops in px.
        detector: finds the face and its landmarks, where a source brings none.
        landmarks: folder of given landmarks (.pts, .txt, .npy), which replaces the detector.
        convention: whose points given landmarks are; ibug-2d for annotations in the picture (300-W, dlib).
        skin: model of the skin.
        masks: folder of given skin masks, which replaces that model.
        weights: files or folders of the detector's weights.
        device: of the detector: cpu, cuda, ...
        quality: of JPEG.
        face_model: for the yaw.
        limits: of the photographs' quality.
    """

    size: Annotated[int, Metavar("PX"), Within(32, 2048)] = CROP_SIZE
    detector: DetectorName = "face-alignment"
    landmarks: Folder | None = None
    convention: Convention = "ibug"
    skin: SkinModel = "colours"
    masks: Folder | None = None
    weights: tuple[AnyPath, ...] = ()
    device: str = "cpu"
    quality: Annotated[int, Within(1, 100)] = 95
    face_model: NameOrPath = EMBEDDED
    limits: QualityLimits = field(default_factory=QualityLimits)


@dataclass(frozen=True)
class PrepareSettings(Checked):
    """Set how a source becomes a set.

    Attributes:
        faces: from photographs to crops.
        grouping: from crops to triplets.
        shard_samples: samples of a shard.
        kind: layout of the source; auto looks.
        every: between frames of a video.

    Example:
        >>> settings = PrepareSettings(FaceSettings(detector="mediapipe"), GroupingSettings(min_step=12.0))
        >>> described = settings.describe()
        >>> described["faces"]["detector"], described["grouping"]["min_step"], described["faces"]["size"]
        ('mediapipe', 12.0, 224)
    """

    faces: FaceSettings = field(default_factory=FaceSettings)
    grouping: GroupingSettings = field(default_factory=GroupingSettings)
    shard_samples: Count = 500
    kind: SourceKind = "auto"
    every: Seconds = 1.0

    def describe(self) -> dict[str, Any]:
        """Give plain values."""
        described = json.loads(json.dumps(asdict(self), default=str))
        # Where weights lie and what runs them does not change what is wanted.
        del described["faces"]["weights"], described["faces"]["device"]
        # What they make of the source is in the list of its photographs.
        del described["kind"], described["every"]
        return described
