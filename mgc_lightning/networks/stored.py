"""Networks as they lie on disk: a reader a form gives their description, and weights or a program."""

from __future__ import annotations

import hashlib
import logging
import os
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.encoders.official_resnet import official_encoder
from mgc_lightning.encoders.registry import describe_encoder
from mgc_lightning.errors import MGCError
from mgc_lightning.files.checkpoints import read_checkpoint
from mgc_lightning.files.checksum import REMEDY, check_archive, check_seal
from mgc_lightning.files.reading import reading
from mgc_lightning.files.text import parse_json, read_json
from mgc_lightning.files.weights import official_network, read_official, read_tensors
from mgc_lightning.geometry.camera import DEFAULT_FOCAL
from mgc_lightning.networks.face_network import CONFIG_VERSION, NETWORK_KEY
from mgc_lightning.networks.output_scaling import OutputScaling
from mgc_lightning.networks.shipped import CARD, shipped_names, shipped_network

logger = logging.getLogger(__name__)

STEM = "network"
"""File name, without suffix, of the exports of a network."""

Program = Callable[[Float[Tensor, "B 3 S S"]], Float[Tensor, "B C"]]


@dataclass(frozen=True)
class StoredNetwork:
    """Hold what the file of a network says; it has either weights or a program.

    Attributes:
        file: where it was read.
        config: what `FaceNetwork.config` gave.
        weights: the state dictionary of a `FaceNetwork`, on the CPU; some may be float16, the network is float32.
        program: maps crops (B, 3, S, S), RGB in [0, 1], on any device, to coefficients (B, C) on that device.
    """

    file: Path
    config: dict[str, Any]
    weights: dict[str, Tensor] | None = None
    program: Program | None = None


def read_network(
    path: str | os.PathLike[str] | None = None, device: torch.device | str = "cpu", programs: bool = True
) -> StoredNetwork:
    """Read a checkpoint or an export, whatever its form; nothing is executed but the programs that are asked for.

    Args:
        path: the file, or the folder of an export: the first `network.*` in it of those that `FORMS` lists, a `.pt2`
            left out: it may run code when it is opened, so it is opened only where it is named itself. If not given,
            the network that comes with the package; others of the package have names.
        device: where programs that can choose run.
        programs: accept programs, not only weights.

    Raises:
        MGCError: if there is no such file, it is none of these, or damaged.

    Example:
        >>> from mgc_lightning.networks.shipped import shipped_network
        >>> stored = read_network(shipped_network())
        >>> stored.config["image_size"], stored.config["face_model"]["name"], stored.program is None
        (96, 'makehuman', True)
    """
    readers = FORMS if programs else WEIGHTS
    file = shipped_network() if path is None else Path(path).expanduser()
    if not file.exists() and str(path) in shipped_names():
        file = shipped_network(str(path))
    if file.is_dir():
        names = [f"{STEM}{suffix}" for suffix in readers if suffix not in RUNS_CODE]
        found = next((file / name for name in names if (file / name).is_file()), None)
        if found is None:
            program = next((f"{STEM}{suffix}" for suffix in RUNS_CODE if (file / f"{STEM}{suffix}").is_file()), None)
            told = (
                f". {program} is a program that may run code when it is opened: if you trust it, name the file itself"
            )
            raise MGCError(f"{file}: no network here; expected one of {names}{told if program and programs else ''}")
        file = found
    if not file.is_file():
        raise MGCError(f"{file}: no such checkpoint or export")
    _check_card(file)
    if file.suffix not in readers:
        raise MGCError(
            f"{file}: expected a {', a '.join(readers)} or the folder of an export, got {file.suffix or 'no suffix'!r}"
        )
    return readers[file.suffix](file, torch.device(device))


def _check_card(file: Path) -> None:
    """Compare a file with the hash that the card beside it has of it, as networks that are given away have one."""
    card = file.with_name(CARD)
    if not card.is_file():
        return
    about = read_json(card)
    expected = about.get("sha256") if isinstance(about, dict) else None
    digest = expected.get(file.name) if isinstance(expected, dict) else None
    if digest is not None and hashlib.sha256(file.read_bytes()).hexdigest() != digest:
        raise MGCError(f"{file}: its content is not what {CARD} beside it says: {REMEDY}")


def _read_safetensors(file: Path, device: torch.device) -> StoredNetwork:
    metadata, weights = read_tensors(file)
    if official_network(metadata):
        _, weights = read_official(file, "mgcnet")
        return StoredNetwork(file, official_config(), {f"encoder.{key}": value for key, value in weights.items()})
    return StoredNetwork(file, _parse_config(metadata.get(NETWORK_KEY), file), weights)


def _read_lightning(file: Path, device: torch.device) -> StoredNetwork:
    checkpoint = read_checkpoint(file)
    if NETWORK_KEY not in checkpoint:
        raise MGCError(f"{file}: this Lightning checkpoint holds no face network (no `{NETWORK_KEY}`)")
    prefix = "network."
    state = checkpoint["state_dict"].items()
    weights = {key.removeprefix(prefix): value for key, value in state if key.startswith(prefix)}
    config = checkpoint[NETWORK_KEY]
    if not isinstance(config, dict):
        raise MGCError(f"{file}: `{NETWORK_KEY}` is {type(config).__name__}, expected an object")
    return StoredNetwork(file, config, weights)


def _read_onnx(file: Path, device: torch.device) -> StoredNetwork:
    import onnxruntime

    wanted = ["CUDAExecutionProvider"] if device.type == "cuda" else []
    providers = [p for p in [*wanted, "CPUExecutionProvider"] if p in onnxruntime.get_available_providers()]
    with reading(file, "not an ONNX network, or damaged"):
        check_seal(file.read_bytes(), file)
        session = onnxruntime.InferenceSession(str(file), providers=providers)
    config = _parse_config(session.get_modelmeta().custom_metadata_map.get(NETWORK_KEY), file)

    def program(images: Tensor) -> Tensor:
        array = np.ascontiguousarray(images.detach().cpu().numpy(), np.float32)
        with reading(file, "the program in it fails"):
            return torch.from_numpy(session.run(["coefficients"], {"images": array})[0]).to(images.device)

    return StoredNetwork(file, config, program=program)


def _read_torch_export(file: Path, device: torch.device) -> StoredNetwork:
    if not zipfile.is_zipfile(file):
        raise MGCError(f"{file}: not a torch.export program, or damaged")
    check_archive(file)
    logger.warning("%s is a program: torch may run code of it. Open only what you trust.", file)
    extra = {NETWORK_KEY: ""}
    with reading(file, "not a torch.export program, or damaged"):
        exported = torch.export.load(file, extra_files=extra)
    config = _parse_config(extra[NETWORK_KEY], file)
    run = exported.module()

    def program(images: Tensor) -> Tensor:
        # The program's constants lie where it was exported: on the CPU.
        return run(images.detach().cpu())[0].to(images.device)

    return StoredNetwork(file, config, program=program)


Reader = Callable[[Path, torch.device], StoredNetwork]

WEIGHTS: dict[str, Reader] = {".safetensors": _read_safetensors, ".ckpt": _read_lightning}
"""Readers of weights by suffix, in the order in which a folder is searched."""

FORMS: dict[str, Reader] = {
    ".safetensors": _read_safetensors,
    ".onnx": _read_onnx,
    ".ckpt": _read_lightning,
    ".pt2": _read_torch_export,
}
"""Readers of everything that predicts by suffix, in the order in which a folder is searched."""

RUNS_CODE = (".pt2",)
"""Torch may run code of such a file when it opens it: a folder is not searched for one, whoever trusts it names it."""


def official_config() -> dict[str, Any]:
    """Describe the official MGCNet: crops of 224 px, focal length 4700 px, no output scaling.

    Its coefficients are BFM 2009's, and its landmarks the official program's (one vertex beside the right ones). The
    file of its weights has no fingerprint of a face model: whatever has its 257 coefficients fits.

    Example:
        >>> config = official_config()
        >>> config["image_size"], config["focal"], config["encoder"]["backbone"]["class"]
        (224, 4700.0, 'OfficialResNet')
    """
    with torch.device("meta"):
        encoder = official_encoder()
    return {
        "version": CONFIG_VERSION,
        "encoder": describe_encoder(encoder),
        "face_model": {
            "name": "bfm09@official",
            "level": 0,
            "fingerprint": None,
            "remedy": "The official weights predict coefficients of BFM 2009. Convert your copy: mgc face-model import "
            "bfm09 --source bfm09_trim_exp_uv_presplit.h5 (or bfm09-deep3d --name bfm09)",
        },
        "image_size": 224,
        "focal": DEFAULT_FOCAL,
        "output_scaling": asdict(OutputScaling.official()),
    }


def _parse_config(text: str | bytes | None, file: Path) -> dict[str, Any]:
    if not text:
        raise MGCError(f"{file}: holds no `{NETWORK_KEY}`; mgc export did not write it")
    config = parse_json(text, f"{file}, `{NETWORK_KEY}`")
    if not isinstance(config, dict):
        raise MGCError(f"{file}: `{NETWORK_KEY}` is {type(config).__name__}, expected an object")
    return config
