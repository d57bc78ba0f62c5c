"""From photographs to faces, without Lightning: align, predict, decode, and place in the original picture."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import Tensor

from mgc_lightning.coefficients import FaceCoefficients
from mgc_lightning.errors import MGCError, check_count
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.geometry.camera import intrinsics, project
from mgc_lightning.geometry.pose import pose_to_transform, transform_points
from mgc_lightning.networks.predictor import load_predictor, usable_device
from mgc_lightning.networks.pretrained import pretrained_weights
from mgc_lightning.photographs.crop import (
    invert_similarity,
    transform_points2d,
    warp_to_crop,
)
from mgc_lightning.photographs.detection import FaceDetector
from mgc_lightning.photographs.photos import ImageLike, as_image
from mgc_lightning.photographs.settings import DetectorChoice
from mgc_lightning.reconstruction.face import camera_of_image
from mgc_lightning.reconstruction.locator import FaceLocator
from mgc_lightning.reconstruction.result import Reconstruction
from mgc_lightning.structures import FaceMesh

BATCH = 16
"""Faces that are predicted at a time."""


class FaceReconstructor(FaceLocator):
    """Reconstruct faces from photographs with any checkpoint or export.

    `FaceReconstructor.from_pretrained()` has the network that comes with the package.

    Args:
        predictor: what predicts coefficients; `load` makes one from a file.
        detector: finds landmarks where neither landmarks nor a box are given; a name is made at the first photograph
            that needs it.
        device: where crops are predicted and decoded.

    Example:
        >>> from mgc_lightning import Encoder, FaceNetwork, Predictor, ResNet, load_face_model
        >>> model = load_face_model("makehuman")
        >>> network = FaceNetwork(Encoder(ResNet(18, width=8), model.layout.total), model, image_size=96)
        >>> reconstructor = FaceReconstructor(Predictor.from_network(network))
        >>> face = reconstructor.reconstruct(torch.rand(3, 200, 300), box=(100, 50, 200, 180))
        >>> face.mesh.verts.shape, face.landmarks.shape
        (torch.Size([4032, 3]), torch.Size([68, 2]))
    """

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        face_model: FaceModel | str | os.PathLike[str] | None = None,
        level: int | None = None,
        detector: FaceDetector | DetectorChoice | None = None,
        device: torch.device | str = "cpu",
        imports: Sequence[str] = (),
    ) -> FaceReconstructor:
        """Load from a .ckpt, .safetensors, .onnx or .pt2 file, or the folder of an export.

        Args:
            path: the file or folder.
            face_model: used instead of the one that the file names; its geometry must be the same.
            level: level of detail of the mesh; that of the training if not given.
            detector: finds landmarks where neither landmarks nor a box are given.
            device: where it runs.
            imports: modules that define a backbone of your own, for a .ckpt or .safetensors.

        Raises:
            MGCError: if the file cannot be used, or its face model is not to be found.
        """
        place = usable_device(device)
        return cls(load_predictor(path, face_model, level, place, imports), detector, place)

    @classmethod
    def from_pretrained(
        cls,
        source: str | os.PathLike[str] | None = None,
        *,
        revision: str | None = None,
        face_model: FaceModel | str | os.PathLike[str] | None = None,
        level: int | None = None,
        detector: FaceDetector | DetectorChoice | None = "auto",
        device: torch.device | str = "cpu",
    ) -> FaceReconstructor:
        """Load trained weights: those that come with the package, a folder's, or a hub's.

        Weights are read from `network.safetensors`: nothing is unpickled, run or imported.

        Args:
            source: a network of the package (`mgc models`), its default if not given; a folder with
                `network.safetensors`, or this file; or `owner/name`, a repository of the Hugging Face hub that holds
                one (needs the extra `hub`).
            revision: branch, tag or commit of the repository.
            face_model: used instead of the one that the file names; its geometry must be the same.
            level: level of detail of the mesh; that of the training if not given.
            detector: finds landmarks where neither landmarks nor a box are given; made at the first photograph that
                needs it, if this is a name.
            device: where it runs.

        Raises:
            MGCError: if there are no such weights, or their face model is not to be found.
        """
        place = usable_device(device)
        return cls(load_predictor(pretrained_weights(source, revision), face_model, level, place), detector, place)

    @property
    def face_model(self) -> FaceModel:
        """The face model that decodes."""
        return self.predictor.face_model

    def reconstruct(
        self,
        image: ImageLike,
        landmarks: str | Path | ArrayLike | Tensor | None = None,
        box: Sequence[float] | None = None,
    ) -> Reconstruction:
        """Reconstruct the face of one photograph.

        Args:
            image: a file, PIL image, array (H, W, 3) or tensor (3, H, W).
            landmarks: (5, 2) or (68, 2) px of the photograph, pixel centres at +.5, or a file of them (.txt, .npy,
                .pts); the best alignment.
            box: x0, y0, x1, y1 px around the face from hairline to chin, roughly: the crop is cut again on the
                predicted points until it stands.

        Raises:
            MGCError: if the image cannot be read, landmarks or box are bad, or neither is given and there is no
                detector, or it finds no face.
        """
        return self.reconstruct_batch([image], [landmarks], [box])[0]

    def reconstruct_batch(
        self,
        images: Sequence[ImageLike],
        landmarks: Sequence[str | Path | ArrayLike | Tensor | None] | None = None,
        boxes: Sequence[Sequence[float] | None] | None = None,
        batch_size: int = BATCH,
    ) -> list[Reconstruction]:
        """Reconstruct one face in each of many photographs; arguments as in `reconstruct`, one each."""
        check_count("batch_size", batch_size)
        points = landmarks if landmarks is not None else [None] * len(images)
        frames = boxes if boxes is not None else [None] * len(images)
        if not len(images) == len(points) == len(frames):
            raise MGCError(f"{len(images)} images, {len(points)} landmarks, {len(frames)} boxes: must be as many")
        found: list[Reconstruction] = []
        for start in range(0, len(images), batch_size):
            part = slice(start, start + batch_size)
            tensors = [as_image(image) for image in images[part]]
            places = [self.locate(*given) for given in zip(tensors, points[part], frames[part], strict=True)]
            matrices, detected, meshes = zip(*places, strict=True)
            found += self.reconstruct_aligned(tensors, torch.stack(matrices), detected, meshes)
        return found

    def reconstruct_all(self, image: ImageLike, path: str | Path | None = None) -> list[Reconstruction]:
        """Reconstruct every face that the detector finds in a photograph, the largest first.

        Raises:
            MGCError: if the image cannot be read, or there is no detector.
        """
        tensor = as_image(image)
        faces = self.detect(tensor, path)
        found: list[Reconstruction] = []
        for start in range(0, len(faces), BATCH):
            part = faces[start : start + BATCH]
            matrices = torch.stack([self.align_points(face.landmarks) for face in part])
            detected, meshes = [face.landmarks for face in part], [face.mesh for face in part]
            found += self.reconstruct_aligned([tensor] * len(part), matrices, detected, meshes)
        return found

    def reconstruct_aligned(
        self,
        images: list[Tensor],
        matrices: Float[Tensor, "B 2 3"],
        detected: Sequence[Float[Tensor, "68 2"] | None] | None = None,
        meshes: Sequence[Float[Tensor, "468 2"] | None] | None = None,
    ) -> list[Reconstruction]:
        """Reconstruct faces whose similarity from photograph to crop is known.

        Args:
            images: B photographs (3, H, W).
            matrices: (B, 2, 3), as `align` gives them.
            detected: (68, 2) px of each photograph, where they are known: kept with the face.
            meshes: (468, 2) px of each photograph, where a detector found them: kept with the face.
        """
        crops = self.crop(images, matrices)
        return self.assemble(images, crops, matrices, self.predict(crops), detected, meshes)

    @torch.no_grad()
    def crop(self, images: list[Tensor], matrices: Float[Tensor, "B 2 3"]) -> Float[Tensor, "B 3 S S"]:
        """Cut aligned crops, on the device."""
        crops = [
            warp_to_crop(image[None].to(self.device), matrix[None].to(self.device), self.image_size, antialias=True)
            for image, matrix in zip(images, matrices, strict=True)
        ]
        return torch.cat(crops).clamp(0, 1)

    def predict(self, crops: Float[Tensor, "B 3 S S"]) -> FaceCoefficients:
        """Predict the absolute coefficients of crops."""
        return self.predictor.coefficients(crops)

    @torch.no_grad()
    def assemble(
        self,
        images: list[Tensor],
        crops: Float[Tensor, "B 3 S S"],
        matrices: Float[Tensor, "B 2 3"],
        coefficients: FaceCoefficients,
        detected: Sequence[Float[Tensor, "68 2"] | None] | None = None,
        meshes: Sequence[Float[Tensor, "468 2"] | None] | None = None,
    ) -> list[Reconstruction]:
        """Decode coefficients, and place the faces in their crops and photographs; arguments as above."""
        mesh = self.face_model(coefficients)
        landmarks3d = self.face_model.landmarks68(mesh.verts)
        T_crop_model = pose_to_transform(coefficients.pose)
        K_crop = intrinsics(self.image_size, self.predictor.focal, device=self.device)
        landmarks_crop = project(transform_points(T_crop_model, landmarks3d), K_crop)
        image_from_crop = invert_similarity(matrices.to(self.device))
        K, T_cam_model = camera_of_image(image_from_crop, K_crop, T_crop_model)
        landmarks = transform_points2d(image_from_crop, landmarks_crop)
        return [
            Reconstruction(
                image=images[i],
                crop=crops[i],
                coefficients=coefficients.map(lambda group, i=i: group[i]),
                mesh=FaceMesh(mesh.verts[i], mesh.faces, mesh.normals[i], mesh.albedo[i]),
                landmarks3d=landmarks3d[i],
                landmarks_crop=landmarks_crop[i],
                landmarks=landmarks[i],
                K_crop=K_crop,
                T_crop_model=T_crop_model[i],
                K=K[i],
                T_cam_model=T_cam_model[i],
                crop_from_image=matrices[i],
                image_from_crop=image_from_crop[i],
                detected=None if detected is None else detected[i],
                detected_mesh=None if meshes is None else meshes[i],
                face_model=self.face_model,
            )
            for i in range(len(images))
        ]
