"""Whatever predicts coefficients: a network in torch, an ONNX file, a torch.export program, behind one call."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.coefficients import FaceCoefficients
from mgc_lightning.errors import MGCError
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.networks.face_network import NETWORK_KEY, FaceNetwork
from mgc_lightning.networks.files import choose_face_model, load_network, parse_config, resolve_network_file

SUFFIXES = (".safetensors", ".onnx", ".pt2", ".ckpt")
"""Files that predict; the order in which a folder is searched."""


@dataclass(frozen=True)
class Predictor:
    """Predict absolute coefficients from aligned crops.

    Attributes:
        vector: maps crops (B, 3, S, S), RGB in [0, 1], on any device, to coefficients (B, C) on that device.
        face_model: what decodes them.
        image_size: side S of the crops in px.
        focal: focal length in px of a 224 px crop.
        kind: the form it runs in, for messages.
    """

    vector: Callable[[Float[Tensor, "B 3 S S"]], Float[Tensor, "B C"]]
    face_model: FaceModel
    image_size: int
    focal: float
    kind: str

    @torch.no_grad()
    def coefficients(self, images: Float[Tensor, "B 3 S S"]) -> FaceCoefficients:
        """Predict absolute coefficients of crops, in float32."""
        return FaceCoefficients.from_vector(self.vector(images).float(), self.face_model.layout)

    @classmethod
    def from_network(cls, network: FaceNetwork) -> Predictor:
        """Wrap a network; it is put into evaluation mode."""
        network = network.eval()
        return cls(network.predict_vector, network.face_model, network.image_size, network.focal, "torch")


def load_predictor(
    path: str | os.PathLike[str],
    face_model: FaceModel | str | os.PathLike[str] | None = None,
    level: int | None = None,
    device: torch.device | str = "cpu",
) -> Predictor:
    """Load a checkpoint or an export, whatever its form.

    Args:
        path: a .ckpt of `lightning fit`; a .safetensors, .onnx or .pt2 of `mgc export`, or its folder.
            ONNX runs on CUDA where `device` says so and onnxruntime can, else on the CPU. A .pt2 is a
            program: load only those that you trust.
        face_model: used instead of the one that the file names; its geometry must be the same.
        level: level of detail of the mesh; that of the training if not given.
        device: where torch networks and the face model are put.

    Raises:
        MGCError: if there is no such file, it is none of these, or its face model is not to be found.
    """
    file = resolve_network_file(path, SUFFIXES)
    device = usable_device(device)
    if file.suffix == ".onnx":
        return _load_onnx(file, face_model, level, device)
    if file.suffix == ".pt2":
        return _load_program(file, face_model, level, device)
    return Predictor.from_network(load_network(file, face_model, level).to(device))


def usable_device(name: torch.device | str) -> torch.device:
    """Turn a name into a device that is there.

    Raises:
        MGCError: if there is no such kind of device, or torch does not find it here.
    """
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise MGCError(f"The device `{name}` cannot be used: {str(error).splitlines()[0]}") from error
    return device


def _make(
    file: Path,
    config: dict[str, Any],
    vector: Callable[[Tensor], Tensor],
    face_model: FaceModel | str | os.PathLike[str] | None,
    level: int | None,
    device: torch.device,
) -> Predictor:
    try:
        model = choose_face_model(config, face_model, level).to(device)
        return Predictor(vector, model, int(config["image_size"]), float(config["focal"]), file.suffix[1:])
    except (KeyError, TypeError, ValueError, MGCError) as error:
        raise MGCError(f"{file}: {error}") from error


def _load_onnx(
    file: Path,
    face_model: FaceModel | str | os.PathLike[str] | None,
    level: int | None,
    device: torch.device,
) -> Predictor:
    import onnxruntime

    wanted = ["CUDAExecutionProvider"] if device.type == "cuda" else []
    providers = [p for p in [*wanted, "CPUExecutionProvider"] if p in onnxruntime.get_available_providers()]
    try:
        session = onnxruntime.InferenceSession(str(file), providers=providers)
    except Exception as error:  # onnxruntime's own classes
        raise MGCError(f"{file}: not an ONNX network, or damaged ({error})") from error
    config = parse_config(session.get_modelmeta().custom_metadata_map.get(NETWORK_KEY), str(file))

    def vector(images: Tensor) -> Tensor:
        array = np.ascontiguousarray(images.detach().cpu().numpy(), np.float32)
        return torch.from_numpy(session.run(["coefficients"], {"images": array})[0]).to(images.device)

    return _make(file, config, vector, face_model, level, device)


def _load_program(
    file: Path,
    face_model: FaceModel | str | os.PathLike[str] | None,
    level: int | None,
    device: torch.device,
) -> Predictor:
    if not zipfile.is_zipfile(file):
        raise MGCError(f"{file}: not a torch.export program, or damaged")
    extra = {NETWORK_KEY: ""}
    try:
        program = torch.export.load(file, extra_files=extra)
    except Exception as error:  # its errors are of many classes
        raise MGCError(f"{file}: not a torch.export program, or damaged ({error})") from error
    config = parse_config(extra[NETWORK_KEY], str(file))
    run = program.module()

    def vector(images: Tensor) -> Tensor:
        # The program's constants lie where it was exported: on the CPU.
        return run(images.detach().cpu())[0].to(images.device)

    return _make(file, config, vector, face_model, level, device)
