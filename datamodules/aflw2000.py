"""AFLW2000-3D: photographs aligned by detected landmarks, to be scored on their 68 annotated points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import lightning as L
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from datamodules.ranks import rank_of
from mgc_lightning.arguments.checked import checked
from mgc_lightning.arguments.types import Count, Whole
from mgc_lightning.errors import MGCError, check_choice
from mgc_lightning.files.matlab import read_mat
from mgc_lightning.files.places import as_paths
from mgc_lightning.files.reading import reason
from mgc_lightning.photographs.crop import five_points, similarity_to_template, warp_to_crop
from mgc_lightning.photographs.detection import FaceDetector, LandmarkFolder, detect_shrunk
from mgc_lightning.photographs.photos import read_photo
from mgc_lightning.photographs.plausible import check_plausible_landmarks
from mgc_lightning.photographs.sources.known import read_mat_landmarks
from mgc_lightning.structures import AlignedPhotos
from mgc_lightning.training.loader_memory import end_where_nothing_can_be_sent

Alignment = Literal["detector", "annotation"]
"""What photographs are aligned by; annotations give an upper bound."""


@dataclass
class AnnotatedPhotos(AlignedPhotos):
    """Hold aligned photographs with what scores them.

    Attributes:
        landmarks: (B, 68, 2) annotated px of the photograph.
        yaw: (B,) degrees, of the annotation.
        crop_from_image: (B, 2, 3) similarity that cut the crop.
        found: (B,) whether the detector found the face; else the annotation aligned it.
    """

    landmarks: Float[Tensor, "B 68 2"] | None = None
    yaw: Float[Tensor, " B"] | None = None
    crop_from_image: Float[Tensor, "B 2 3"] | None = None
    found: Tensor | None = None


class AFLW2000DataModule(L.LightningDataModule):
    """Load AFLW2000-3D for `lightning test` with `callbacks.AFLW2000Score`.

    The data set's own files: `imageNNNNN.jpg` beside `imageNNNNN.mat` with `pt3d_68` (68 points of the 3D type) and
    `Pose_Para` (pitch, yaw, roll in radians). Crops are aligned by detected landmarks, as the authors of MGCNet did.

    Args:
        path: folder of the files.
        image_size: side of the crops in px; callbacks take the network's.
        align: by what; annotations give an upper bound.
        landmarks: folder of detected landmarks (5 or 68 points, by the photographs' stems) instead of a detector.
        weights: of the face-alignment detector.
        device: of the detector.
        batch_size: photographs a step and process.
        num_workers: processes; with a detector at work, leave it at 0.
        subset: the first so many photographs.

    Raises:
        MGCError: if the folder holds no annotated photographs.

    Example:
        >>> import scipy.io, tempfile
        >>> from mgc_lightning.losses.identity import TEMPLATE_68
        >>> from mgc_lightning.pictures.drawing import save_png
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = save_png(folder / "image00002.png", torch.rand(3, 224, 224))
        >>> points = [*zip(*TEMPLATE_68, strict=True), [0.0] * 68]
        >>> scipy.io.savemat(folder / "image00002.mat", {"pt3d_68": points, "Pose_Para": [[0.0, 0.5, 0.0]]})
        >>> data = AFLW2000DataModule(folder, image_size=64, align="annotation")
        >>> batch = next(iter(data.test_dataloader()))
        >>> batch.images.shape, batch.names, batch.yaw.round()
        (torch.Size([1, 3, 64, 64]), ['image00002'], tensor([29.]))
    """

    @checked
    def __init__(
        self,
        path: str | Path,
        image_size: Count = 224,
        align: Alignment = "detector",
        landmarks: str | Path | None = None,
        weights: Sequence[str | Path] | None = None,
        device: str = "cpu",
        batch_size: Count = 16,
        num_workers: Whole = 0,
        subset: Count | None = None,
    ) -> None:
        super().__init__()
        check_choice("align", align, Alignment)
        files = sorted(Path(path).glob("*.mat"))[:subset]
        if not files:
            raise MGCError(f"{path}: expected AFLW2000-3D's photographs NAME.jpg with annotations NAME.mat")
        self.files, self.image_size, self.align = files, image_size, align
        self.folder, self.weights, self.device = landmarks, tuple(weights or ()), device
        self.batch_size, self.num_workers = batch_size, num_workers

    def test_dataloader(self) -> DataLoader[Any]:
        """Load this process's share of the photographs; none is repeated."""
        rank, world_size = rank_of(self)
        return DataLoader(
            AFLW2000(self.files, self.image_size, self._detector()),
            batch_size=self.batch_size,
            sampler=range(rank, len(self.files), world_size),
            num_workers=self.num_workers,
            collate_fn=collate,
            worker_init_fn=end_where_nothing_can_be_sent,
        )

    def predict_dataloader(self) -> DataLoader[Any]:
        """Load this process's share of the photographs."""
        return self.test_dataloader()

    def _detector(self) -> FaceDetector | None:
        if self.align == "annotation":
            return None
        if self.folder is not None:
            return LandmarkFolder(self.folder)
        from mgc_lightning.photographs.face_alignment_detector import FaceAlignmentDetector

        return FaceAlignmentDetector(self.device, self.weights)


class AFLW2000(Dataset[dict[str, Any]]):
    """Read photographs with their annotations.

    Args:
        files: the annotations; photographs lie beside them.
        image_size: side of the crops in px.
        detector: finds the landmarks that align; the annotation does, if not given.
    """

    def __init__(self, files: Sequence[str | Path], image_size: int, detector: FaceDetector | None = None) -> None:
        self.files, self.image_size, self.detector = as_paths(files), image_size, detector

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Read and align one photograph.

        Raises:
            MGCError: if the photograph or its annotation cannot be read.
        """
        file = self.files[index]
        photo = next((p for s in (".jpg", ".png") if (p := file.with_suffix(s)).is_file()), file.with_suffix(".jpg"))
        image = read_photo(photo)
        points = check_plausible_landmarks(read_mat_landmarks(file), *image.shape[-2:], name=str(file))
        faces = [] if self.detector is None else detect_shrunk(self.detector, image, photo)
        # The face whose points are nearest: pictures show several people, one is annotated.
        face = min(faces, key=lambda f: float((f.landmarks - points).norm(dim=1).mean()), default=None)
        used = points if face is None else face.landmarks
        matrix = similarity_to_template(five_points(used), self.image_size)
        return {
            "image": warp_to_crop(image[None], matrix[None], self.image_size, antialias=True)[0].clamp(0, 1),
            "index": index,
            "name": file.stem,
            "landmarks": points,
            "yaw": read_yaw(file),
            "crop_from_image": matrix,
            "found": self.detector is None or face is not None,
        }


def read_yaw(file: Path) -> float:
    """Read the annotated yaw in degrees, from `Pose_Para`.

    Raises:
        MGCError: if the file is damaged or lacks it.

    Example:
        >>> import scipy.io, tempfile
        >>> file = Path(tempfile.mkdtemp()) / "image00002.mat"
        >>> scipy.io.savemat(file, {"Pose_Para": [[0.0, torch.pi / 6, 0.0]]})
        >>> round(read_yaw(file), 3)
        30.0
    """
    pose = read_mat(file).get("Pose_Para")
    try:
        return float(pose.reshape(-1)[1]) * 180 / torch.pi  # type: ignore[union-attr]
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise MGCError(f"{file}: no Pose_Para in it ({reason(error)})") from error


def collate(items: list[dict[str, Any]]) -> AnnotatedPhotos:
    """Stack items into a batch."""
    return AnnotatedPhotos(
        images=torch.stack([item["image"] for item in items]),
        index=torch.tensor([item["index"] for item in items]),
        names=[item["name"] for item in items],
        landmarks=torch.stack([item["landmarks"] for item in items]),
        yaw=torch.tensor([item["yaw"] for item in items]),
        crop_from_image=torch.stack([item["crop_from_image"] for item in items]),
        found=torch.tensor([item["found"] for item in items]),
    )
