"""Where the faces of an input are: given landmarks, a given box, or what a detector finds."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.errors import MGCError, MissingExtraError
from mgc_lightning.fitting.measured_points import mesh_points
from mgc_lightning.photographs.conventions import to_ibug
from mgc_lightning.photographs.detection import DetectedFace
from mgc_lightning.photographs.face_mesh import mesh_finder
from mgc_lightning.photographs.landmark_files import find_landmarks, read_landmarks
from mgc_lightning.photographs.plausible import check_plausible_landmarks
from mgc_lightning.reconstruction.reconstructor import FaceReconstructor
from mgc_lightning.reconstruction.recrop import SettledCrop, settle_crop
from mgc_lightning.reconstruction.settings import Mesh, WhereSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FacePlace:
    """Say where a face is.

    Attributes:
        crop_from_image: (2, 3) similarity to the aligned crop.
        landmarks: (68, 2) px of the photograph, where they are known.
        mesh: (468, 2) px of the photograph, where a detector found it.
        settled: how the crop came to stand, where a box says where the face is.
    """

    crop_from_image: Float[Tensor, "2 3"]
    landmarks: Float[Tensor, "68 2"] | None = None
    mesh: Float[Tensor, "468 2"] | None = None
    settled: SettledCrop | None = None


class FaceFinder:
    """Find the faces of photographs and of frames.

    Args:
        reconstructor: with a detector, where neither landmarks nor a box are given.
        where: landmarks, a box, or which of the detected faces.
        mesh: give the face mesh of photographs, a detector's or found around the landmarks: for refining.

    Raises:
        MissingExtraError: if a mesh is to be found (`yes`), and the extra `detector` is not installed.

    Example:
        >>> from mgc_lightning import Encoder, FaceNetwork, FaceReconstructor, Predictor, ResNet, load_face_model
        >>> model = load_face_model()
        >>> network = FaceNetwork(Encoder(ResNet(18, width=4), model.layout.total), model, image_size=32)
        >>> reconstructor = FaceReconstructor(Predictor.from_network(network))
        >>> finder = FaceFinder(reconstructor, WhereSettings(box=(100, 50, 200, 180)))
        >>> places = finder.find(torch.rand(3, 200, 300), Path("anna.jpg"))
        >>> len(places), places[0].crop_from_image.shape
        (1, torch.Size([2, 3]))
    """

    def __init__(self, reconstructor: FaceReconstructor, where: WhereSettings, mesh: Mesh = "no") -> None:
        self.reconstructor = reconstructor
        self.landmarks = None if where.landmarks is None else Path(where.landmarks)
        self.box, self.every = where.box, where.faces == "all"
        self.convention = where.convention
        useful = mesh != "no" and self.box is None and mesh_points(reconstructor.face_model) is not None
        self.mesh: Mesh = mesh if useful else "no"
        self._meshes = mesh_finder() if self.mesh == "yes" else None
        self._installed = True

    def find(self, image: Float[Tensor, "3 H W"], path: Path, count: int = 1) -> list[FacePlace]:
        """Find the faces of a photograph, the largest first; one of `count` photographs.

        Raises:
            MGCError: if there is none, or its landmarks are missing or bad.
        """
        if self.box is not None:
            settled = self.reconstructor.settle(image, self.box)
            return [FacePlace(settled.crop_from_image, settled=settled)]
        if self.landmarks is not None:
            points = self._read(find_landmarks(self.landmarks, path, count), image)
            known = points if len(points) == 68 else None
            mesh = None if known is None else self._mesh(image, known, None)
            return [FacePlace(self.reconstructor.align_points(points), known, mesh)]
        faces = self.reconstructor.detect(image, path)
        if not faces:
            raise MGCError(f"{path}: no face was found; give its `landmarks`, or a `box` around it")
        chosen = faces if self.every else faces[:1]
        return [
            FacePlace(
                self.reconstructor.align_points(face.landmarks),
                face.landmarks,
                self._mesh(image, face.landmarks, face.mesh),
            )
            for face in chosen
        ]

    def _mesh(self, image: Tensor, landmarks: Tensor, detected: Tensor | None) -> Float[Tensor, "468 2"] | None:
        if self.mesh == "no":
            return None
        if detected is not None:
            return detected
        if self._meshes is None and self._installed:
            try:
                self._meshes = mesh_finder()
            except MissingExtraError as error:
                logger.info("Faces are refined by their 68 landmarks alone. %s", error)
                self._installed = False
        return None if self._meshes is None else self._meshes.around(image, landmarks)

    def follow(
        self, image: Float[Tensor, "3 H W"], frame: int, last: Float[Tensor, "2 3"] | None, video: Path
    ) -> Float[Tensor, "2 3"] | None:
        """Find the face of a frame: of several that are detected, the one that is nearest to where it was.

        Given landmarks are one file a frame, `DIR/VIDEO/000012.txt`.
        """
        if self.box is not None:
            return self._in_box(image, last)
        if self.landmarks is not None:
            folder = self.landmarks / video.name
            folder = folder if folder.is_dir() else self.landmarks / video.stem
            try:
                file = find_landmarks(folder, Path(f"{frame:06d}.png"))
            except MGCError:
                return None
            return self.reconstructor.align_points(self._read(file, image))
        faces = self.reconstructor.detect(image)
        if not faces:
            return None
        return self.reconstructor.align_points(self._nearest(faces, last).landmarks)

    def _in_box(self, image: Float[Tensor, "3 H W"], last: Float[Tensor, "2 3"] | None) -> Float[Tensor, "2 3"]:
        """Follow the face from where it was; where it is lost, look around the box again."""
        if last is not None:
            settled = settle_crop(self.reconstructor.predictor, image, last)
            if settled.converged:
                return settled.crop_from_image
        return self.reconstructor.align(image, box=self.box)

    def _read(self, file: Path, image: Float[Tensor, "3 H W"]) -> Float[Tensor, "N 2"]:
        points = check_plausible_landmarks(read_landmarks(file), *image.shape[-2:], name=str(file))
        return to_ibug(points, self.convention) if len(points) == 68 else points

    def _nearest(self, faces: list[DetectedFace], last: Tensor | None) -> DetectedFace:
        if last is None:
            return faces[0]
        middle = torch.tensor([self.reconstructor.image_size / 2] * 2)

        def away(face: DetectedFace) -> float:
            centre = face.landmarks.mean(0) @ last[:, :2].T + last[:, 2]
            return float((centre - middle).norm())

        return min(faces, key=away)
