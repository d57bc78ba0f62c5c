"""The network: photographs in, face coefficients, vertices and landmarks out. Plain torch, exportable."""

from __future__ import annotations

import json
import operator
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Self

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mgc_lightning.coefficients import LIGHT_AMBIENT, FaceCoefficients
from mgc_lightning.encoders.encoder import Encoder
from mgc_lightning.encoders.registry import build_encoder, describe_encoder, same_encoder
from mgc_lightning.errors import MGCError
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.files.reading import excerpt
from mgc_lightning.geometry.camera import DEFAULT_FOCAL, intrinsics, project
from mgc_lightning.geometry.pose import pose_to_transform, transform_points
from mgc_lightning.networks.calibrated import Calibrated
from mgc_lightning.networks.face_model_choice import check_face_model, choose_face_model
from mgc_lightning.networks.output_scaling import OutputScaling

NETWORK_KEY = "mgc_network_config"
"""Under which files keep `FaceNetwork.config`: checkpoints, safetensors, ONNX and torch.export metadata."""
CONFIG_VERSION = 1
"""Version of the dictionary that `FaceNetwork.config` gives."""

LARGEST_IMAGE = 4096
"""px; what a file may ask for."""
EARLIER_MAIN_POSES: Mapping[str, tuple[float, ...]] = {
    "f1ae7741ce953f43a1610f3740aa2f289decf66f2dedf3d0f62a8a6ac0f05e0b": (
        0.0,
        0.0,
        3.1415927,
        -0.23938951,
        4.8302355,
        5068.6943,
    ),
}
"""Main pose of face models, by fingerprint, before their landmarks and so their main pose moved: networks that were
stored then name none."""


class FaceNetwork(nn.Module):
    """Regress a face from an aligned crop: encoder, output scaling, main pose and ambient light, face model.

    The main pose is the face model's at the default focal length; for another focal length its distance is
    scaled by `focal / 4700`, so that the mean face keeps its size in the image.

    Args:
        encoder: maps images to raw vectors of as many numbers as the face model has coefficients.
        face_model: decodes the coefficients. Its arrays are no part of the state dict.
        image_size: side of the crop in px.
        focal: focal length in px of a 224 px crop.
        output_scaling: scale of each group of raw outputs; the official network's (none) if not given.
        main_pose: six numbers, at the default focal length; the face model's if not given. A stored network keeps
            the one of its training.
        calibrated: on what photographs of people its outputs were calibrated, if they were.

    Raises:
        MGCError: if the encoder's output does not fit the face model.

    Example:
        >>> from mgc_lightning import Encoder, ResNet, load_face_model
        >>> face_model = load_face_model("makehuman")
        >>> encoder = Encoder(ResNet(18, width=8), face_model.layout.total)
        >>> network = FaceNetwork(encoder, face_model, image_size=96)
        >>> coefficients, verts, landmarks = network(torch.rand(2, 3, 96, 96))
        >>> verts.shape, landmarks.shape
        (torch.Size([2, 4032, 3]), torch.Size([2, 68, 2]))
    """

    K: Float[Tensor, "3 3"]
    offset: Float[Tensor, " C"]
    scale: Float[Tensor, " C"]

    def __init__(
        self,
        encoder: Encoder,
        face_model: FaceModel,
        image_size: int = 224,
        focal: float = DEFAULT_FOCAL,
        output_scaling: OutputScaling | None = None,
        main_pose: Sequence[float] | None = None,
        calibrated: Calibrated | None = None,
    ) -> None:
        super().__init__()
        self.calibrated = calibrated
        self.layout = face_model.layout
        if encoder.num_outputs != self.layout.total:
            raise MGCError(
                f"The encoder gives {encoder.num_outputs} numbers, but face model `{face_model.name}` has "
                f"{self.layout.total} coefficients {self.layout.sizes}: set num_outputs={self.layout.total}"
            )
        self.encoder = encoder
        self.face_model = face_model
        self.image_size = int(image_size)
        self.focal = float(focal)
        self.output_scaling = output_scaling or OutputScaling.official()
        ratio = self.focal / DEFAULT_FOCAL
        pose = face_model.main_pose.detach().cpu() if main_pose is None else torch.tensor(main_pose)
        self.default_pose = tuple(pose.tolist())
        offset = torch.zeros(self.layout.total)
        offset[self.layout.slices["pose"]] = main_pose_at(pose, self.focal)
        offset[self.layout.slices["light"]] = ambient_light()
        scale = self.output_scaling.vector(self.layout, face_model.expression_sigma, ratio)
        self.register_buffer("K", intrinsics(self.image_size, self.focal), persistent=False)
        self.register_buffer("offset", offset, persistent=False)
        self.register_buffer("scale", scale, persistent=False)

    def keep_main_pose(self, config: Mapping[str, Any]) -> None:
        """Take over the main pose of a stored network, whose weights count from there; see `stored_main_pose`.

        Raises:
            MGCError: if it is no pose.
        """
        stored = stored_main_pose(config)
        if stored is None:
            return
        try:
            pose = torch.tensor([float(number) for number in stored])
        except (TypeError, ValueError) as error:
            raise MGCError(f"The stored main pose is {excerpt(repr(stored))}: expected six numbers") from error
        if pose.shape != (6,) or not bool(pose.isfinite().all()):
            raise MGCError(f"The stored main pose is {excerpt(repr(stored))}: expected six numbers")
        self.default_pose = tuple(pose.tolist())
        self.main_pose.copy_(main_pose_at(pose, self.focal))

    def predict_vector(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B C"]:
        """Predict absolute coefficients as one vector, float32 whatever the precision of the encoder.

        Raises:
            MGCError: if the images are not (B, 3, image_size, image_size).
        """
        size = self.image_size
        if images.ndim != 4 or tuple(images.shape[1:]) != (3, size, size):
            raise MGCError(f"Expected images of shape (B, 3, {size}, {size}), got {tuple(images.shape)}")
        return self.offset + self.scale * self.encoder(images).float()

    def coefficients(self, images: Float[Tensor, "B 3 H W"]) -> FaceCoefficients:
        """Predict absolute coefficients of aligned RGB crops in [0, 1]."""
        return FaceCoefficients.from_vector(self.predict_vector(images), self.layout)

    def decode(
        self, coefficients: FaceCoefficients
    ) -> tuple[Float[Tensor, "*batch N 3"], Float[Tensor, "*batch 68 2"]]:
        """Turn coefficients into vertices (mm, model frame) and projected landmarks (px)."""
        verts = self.face_model.shape(coefficients.identity, coefficients.expression)
        points_cam = transform_points(pose_to_transform(coefficients.pose), self.face_model.landmarks68(verts))
        return verts, project(points_cam, self.K)

    def forward(
        self, images: Float[Tensor, "B 3 H W"]
    ) -> tuple[Float[Tensor, "B C"], Float[Tensor, "B N 3"], Float[Tensor, "B 68 2"]]:
        """Reconstruct faces.

        Args:
            images: (B, 3, S, S) aligned crops, RGB in [0, 1].

        Returns:
            Coefficients (B, C), absolute, in the official order; vertices (B, N, 3) in mm, model frame;
            landmarks (B, 68, 2) in px of the crop.
        """
        vector = self.predict_vector(images)
        if torch.is_autocast_enabled(vector.device.type):
            with torch.autocast(vector.device.type, enabled=False):
                return vector, *self.decode(FaceCoefficients.from_vector(vector, self.layout))
        return vector, *self.decode(FaceCoefficients.from_vector(vector, self.layout))

    @property
    def main_pose(self) -> Float[Tensor, " 6"]:
        """The pose (6,) of a silent encoder: the main pose at this network's focal length."""
        return self.offset[self.layout.slices["pose"]]

    @property
    def config(self) -> dict[str, Any]:
        """Describe the network in plain, JSON-able values; `from_config` builds it again, unweighted."""
        return {
            "version": CONFIG_VERSION,
            "encoder": describe_encoder(self.encoder),
            "face_model": {
                "name": self.face_model.name,
                "level": self.face_model.level,
                "fingerprint": self.face_model.fingerprint,
                "licence": self.face_model.licence,
                "layout": asdict(self.layout),
            },
            "image_size": self.image_size,
            "focal": self.focal,
            "output_scaling": asdict(self.output_scaling),
            "main_pose": list(self.default_pose),
            **({"calibrated": self.calibrated.to_dict()} if self.calibrated else {}),
        }

    @classmethod
    def from_config(
        cls,
        config: Mapping[str, Any],
        face_model: FaceModel | str | os.PathLike[str] | None = None,
        level: int | None = None,
        imports: Sequence[str] = (),
        most: int | None = None,
    ) -> Self:
        """Build the network that `config` describes, with fresh weights.

        Args:
            config: what `FaceNetwork.config` gave.
            face_model: the face model to use, its name or its path; the one that is named there if not given.
            level: level of detail of the mesh; the stored one if not given.
            imports: modules that define a backbone which is not of this package; nothing else is imported.
            most: numbers that its encoder may have, if it is of this package; any if not given.

        Raises:
            MGCError: if the description is incomplete, its backbone unknown, or the face model another one.
        """
        try:
            if config["version"] > CONFIG_VERSION:
                raise MGCError(
                    f"The stored network has version {config['version']}, this release reads up to "
                    f"{CONFIG_VERSION}: update mgc-lightning"
                )
            size = config["image_size"]
            if not (isinstance(size, int) and 1 <= size <= LARGEST_IMAGE):
                raise MGCError(f"The stored network's image_size is {size!r}: expected px from 1 to {LARGEST_IMAGE}")
            return cls(
                build_encoder(config["encoder"], imports, most),
                choose_face_model(config["face_model"], face_model, level),
                image_size=config["image_size"],
                focal=config["focal"],
                output_scaling=OutputScaling.from_dict(config["output_scaling"]),
                main_pose=stored_main_pose(config),
                calibrated=Calibrated.from_dict(config.get("calibrated")),
            )
        except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RuntimeError) as error:
            said = excerpt(repr(error), 200)
            raise MGCError(f"The stored description of the network is incomplete or foreign: {said}") from error

    def check_config(self, config: Mapping[str, Any] | None) -> None:
        """Make sure that the weights stored with this description mean the same thing in this network.

        Another image size, focal length or level of detail is a choice that weights survive.

        Raises:
            MGCError: if there is no description, or the face model, the encoder or the output scaling differ.
        """
        if config is None:
            raise MGCError("The checkpoint holds no description of a network: MGCModule did not write it")
        try:
            check_face_model(config["face_model"], self.face_model)
            for part, same in (("encoder", same_encoder), ("output_scaling", operator.eq)):
                # Through JSON, since a stored tuple may come back as a list.
                theirs, ours = (json.loads(json.dumps(c[part])) for c in (config, self.config))
                if not same(theirs, ours):
                    raise MGCError(
                        f"The checkpoint's {part} is {theirs}, this network's is {ours}: "
                        "give the configuration that it was trained with"
                    )
        except (KeyError, TypeError) as error:
            raise MGCError(f"The stored description of the network is incomplete: {error!r}") from error


def stored_main_pose(config: Mapping[str, Any]) -> Sequence[float] | None:
    """Give the main pose of a stored network, at the default focal length; None for that of its face model."""
    earlier = EARLIER_MAIN_POSES.get(config["face_model"]["fingerprint"])
    pose: Sequence[float] | None = config.get("main_pose", earlier)
    return pose


def main_pose_at(main_pose: Float[Tensor, " 6"], focal: float) -> Float[Tensor, " 6"]:
    """Move the main pose, defined at the default focal length, to the distance that keeps the face's size.

    Example:
        >>> main_pose_at(torch.tensor([0.0, 0.0, 0.0, 0.0, 0.0, 4000.0]), focal=1175.0)[5]
        tensor(1000.)
    """
    scale = torch.ones_like(main_pose)
    scale[5] = focal / DEFAULT_FOCAL
    return main_pose * scale


def ambient_light() -> Float[Tensor, " 27"]:
    """Give the constant light: `LIGHT_AMBIENT` in the first band of each colour (MGCNet sec. 4).

    Example:
        >>> ambient_light().view(3, 9)[:, :2]  # constant and first linear band of R, G, B
        tensor([[0.8000, 0.0000],
                [0.8000, 0.0000],
                [0.8000, 0.0000]])
    """
    light = torch.zeros(3, 9)
    light[:, 0] = LIGHT_AMBIENT
    return light.flatten()
