"""Whatever predicts coefficients: a network in torch, an ONNX file, a torch.export program, behind one call."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.coefficients import FaceCoefficients
from mgc_lightning.errors import MGCError
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.files.reading import excerpt
from mgc_lightning.networks.calibrated import Calibrated
from mgc_lightning.networks.face_model_choice import choose_face_model
from mgc_lightning.networks.face_network import LARGEST_IMAGE, FaceNetwork
from mgc_lightning.networks.files import build_network
from mgc_lightning.networks.settings import NetworkSource
from mgc_lightning.networks.stored import Program, read_network


@dataclass(frozen=True)
class Predictor:
    """Predict absolute coefficients from aligned crops.

    Attributes:
        vector: maps crops (B, 3, S, S), RGB in [0, 1], on any device, to coefficients (B, C) on that device.
        face_model: what decodes them.
        image_size: side S of the crops in px.
        focal: focal length in px of a 224 px crop.
        kind: the form it runs in, for messages.
        calibrated: on what photographs of people it was calibrated, if it was.

    Example:
        >>> from mgc_lightning import Encoder, FaceNetwork, ResNet, load_face_model
        >>> model = load_face_model()
        >>> network = FaceNetwork(Encoder(ResNet(18, width=4), model.layout.total), model, image_size=32)
        >>> predictor = Predictor.from_network(network)
        >>> faces = predictor.coefficients(torch.rand(2, 3, 32, 32))
        >>> faces.expression.shape, predictor.face_model(faces).verts.shape
        (torch.Size([2, 52]), torch.Size([2, 4032, 3]))
    """

    vector: Program
    face_model: FaceModel
    image_size: int
    focal: float
    kind: str
    calibrated: Calibrated | None = None

    @property
    def device(self) -> torch.device:
        """Where the face model lies, and crops are best put."""
        return self.face_model.mean.device

    @torch.no_grad()
    def coefficients(self, images: Float[Tensor, "B 3 S S"]) -> FaceCoefficients:
        """Predict absolute coefficients of crops, in float32."""
        return FaceCoefficients.from_vector(self.vector(images).float(), self.face_model.layout)

    @classmethod
    def from_network(cls, network: FaceNetwork) -> Predictor:
        """Wrap a network; it is put into evaluation mode."""
        network = network.eval()
        model, size, focal = network.face_model, network.image_size, network.focal
        return cls(network.predict_vector, model, size, focal, "torch", network.calibrated)


def load_predictor(
    path: str | os.PathLike[str] | None = None,
    face_model: FaceModel | str | os.PathLike[str] | None = None,
    level: int | None = None,
    device: torch.device | str = "cpu",
    imports: Sequence[str] = (),
) -> Predictor:
    """Load a checkpoint or an export, whatever its form.

    Args:
        path: a .ckpt of `lightning fit`; a .safetensors, .onnx or .pt2 of `mgc export`, or its folder.
            ONNX runs on CUDA where `device` says so and onnxruntime can, else on the CPU. A .pt2 may run code when
            it is opened: a folder is not searched for one, name it itself if you trust it. If not given, the network
            that comes with the package.
        face_model: used instead of the one that the file names; its geometry must be the same.
        level: level of detail of the mesh; that of the training if not given.
        device: where torch networks and the face model are put.
        imports: modules that define a backbone of your own, where the file has weights and not a program.

    Raises:
        MGCError: if there is no such file, it is none of these, or its face model is not to be found.

    Example:
        >>> import tempfile
        >>> from mgc_lightning import Encoder, FaceNetwork, ResNet, load_face_model, save_network
        >>> face_model = load_face_model()
        >>> network = FaceNetwork(Encoder(ResNet(18, width=4), face_model.layout.total), face_model, image_size=32)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     predictor = load_predictor(save_network(network, f"{folder}/network.safetensors"))
        >>> predictor.coefficients(torch.rand(2, 3, 32, 32)).identity.shape
        torch.Size([2, 80])
    """
    device = usable_device(device)
    stored = read_network(path, device)
    if stored.program is None:
        return Predictor.from_network(build_network(stored, face_model, level, imports).to(device))
    config = stored.config
    try:
        model = choose_face_model(config["face_model"], face_model, level).to(device)
        size, focal = int(config["image_size"]), float(config["focal"])
        if not 1 <= size <= LARGEST_IMAGE or not 0 < focal < float("inf"):
            raise ValueError(f"image_size {size}, focal {focal}")
        calibrated = Calibrated.from_dict(config.get("calibrated"))
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        said = excerpt(repr(error), 200)
        raise MGCError(f"{stored.file}: the stored description of the network is incomplete: {said}") from error
    except MGCError as error:
        raise MGCError(f"{stored.file}: {error}") from error
    return Predictor(stored.program, model, size, focal, stored.file.suffix[1:], calibrated)


def as_predictor(network: Predictor | NetworkSource | str | os.PathLike[str] | None = None) -> Predictor:
    """Take a predictor as it is; load what says which network it is, or the path of a checkpoint or an export.

    If none is given, it is the network that comes with the package.

    Raises:
        MGCError: as `load_predictor`.

    Example:
        >>> predictor = as_predictor()  # the network that comes with the package
        >>> predictor.image_size, predictor.face_model.name, as_predictor(predictor) is predictor
        (96, 'makehuman', True)
    """
    if isinstance(network, Predictor):
        return network
    source = network
    if not isinstance(source, NetworkSource):
        source = NetworkSource(None if source is None else Path(source))
    return load_predictor(source.checkpoint, source.face_model, source.level, source.device, source.imports)


def usable_device(name: torch.device | str) -> torch.device:
    """Turn a name into a device that is there.

    Raises:
        MGCError: if there is no such kind of device, or torch does not find it here.

    Example:
        >>> usable_device("cpu")
        device(type='cpu')
        >>> usable_device("warp")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        mgc_lightning.errors.MGCError: The device `warp` cannot be used: ...
    """
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise MGCError(f"The device `{name}` cannot be used: {str(error).splitlines()[0]}") from error
    return device
