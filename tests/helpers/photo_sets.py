"""Small sets of rendered photographs with their landmarks, for tests."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from mgc_lightning.face_models import load_face_model
from mgc_lightning.photographs.detection import DetectedFace
from mgc_lightning.photographs.settings import QualityLimits
from mgc_lightning.preparation.settings import FaceSettings
from mgc_lightning.synthetic.dataset import make_triplets
from mgc_lightning.synthetic.settings import SyntheticSettings

SIZE = 64
QUIET = SyntheticSettings(linked=1, unlinked=0, camera_noise=0, occluders=0, alignment_jitter=0)
EASY = FaceSettings(size=SIZE, limits=QualityLimits(min_sharpness=0.5))


def write_photos(folder: Path, people: int, landmarks: Path | None = None) -> None:
    """Write `people` people, each three linked views: folder/person/monday/0.png ..."""
    batch = make_triplets(load_face_model(), people, image_size=SIZE, settings=QUIET)
    for person in range(people):
        for view in range(3):
            name = Path(f"person {person}") / "möntag" / f"{view}.png"
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            array = (batch.images[person, view].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
            Image.fromarray(array).save(folder / name)
            if landmarks is not None:
                target = (landmarks / name).with_suffix(".npy")
                target.parent.mkdir(parents=True, exist_ok=True)
                np.save(target, batch.landmarks[person, view].numpy())


@dataclass
class TemplateDetector:
    """Find the same face in the middle of every picture."""

    faces: int = 1

    def detect(self, image, path=None):
        height, width = image.shape[-2:]
        points = mean_landmarks() * min(height, width) / SIZE
        points = points + torch.tensor([width - min(height, width), height - min(height, width)]) / 2
        return [DetectedFace(points * 0.5**n, 0.9, torch.full((68,), 0.8)) for n in range(self.faces)]


def mean_landmarks() -> torch.Tensor:
    from mgc_lightning.geometry.camera import intrinsics, project
    from mgc_lightning.geometry.pose import pose_to_transform, transform_points

    model = load_face_model()
    points = transform_points(pose_to_transform(model.main_pose), model.landmarks68(model.mean))
    return project(points, intrinsics(SIZE))


def template_detector(settings, root) -> TemplateDetector:
    return TemplateDetector()
