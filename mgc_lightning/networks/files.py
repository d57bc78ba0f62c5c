"""Networks on disk: written as safetensors; read from those, Lightning checkpoints and export folders."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import load_face_model
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.files.checkpoints import read_checkpoint
from mgc_lightning.networks.face_network import NETWORK_KEY, FaceNetwork, check_face_model
from mgc_lightning.networks.official import load_official_network
from mgc_lightning.official.weights import official_network

STEM = "network"
"""File name, without suffix, of the exports of a network."""


def save_network(network: FaceNetwork, path: str | os.PathLike[str]) -> Path:
    """Write weights and description as one safetensors file.

    The face model's arrays stay out: the file names the face model by name, level and fingerprint.

    Args:
        network: any; written from wherever it is, in its precision.
        path: the file, `.safetensors`.
    """
    target = Path(path)
    tensors = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    with atomic_path(target) as temporary:
        safetensors.torch.save_file(tensors, temporary, metadata={NETWORK_KEY: json.dumps(network.config)})
    return target


def load_network(
    path: str | os.PathLike[str],
    face_model: FaceModel | str | os.PathLike[str] | None = None,
    level: int | None = None,
) -> FaceNetwork:
    """Read a network, in evaluation mode on the CPU; nothing that the file holds is executed.

    Args:
        path: a checkpoint of `lightning fit` (.ckpt), a .safetensors export, the folder of an export, or the
            official weights that `mgc import-official` converted.
        face_model: a face model, its name or its path, used instead of the one that the file names; its
            geometry must be the same.
        level: level of detail of the mesh; that of the training if not given.

    Raises:
        MGCError: if there is no such file, it is none of these, its weights do not fit, or its face model
        is not
            to be found or another one.
    """
    file = resolve_network_file(path, (".safetensors", ".ckpt"))
    if file.suffix == ".safetensors" and official_network(file):
        return load_official_network(file, face_model)
    if file.suffix == ".safetensors":
        config, state = _read_safetensors(file)
    elif file.suffix == ".ckpt":
        config, state = read_network_checkpoint(file)
    else:
        raise MGCError(
            f"{file}: expected a .ckpt, a .safetensors or the folder of an export, got {file.suffix or 'no suffix'!r}"
        )
    try:
        network = FaceNetwork.from_config(config, choose_face_model(config, face_model, level))
        load_weights(network, state, str(file))
    except MGCError as error:
        raise MGCError(f"{file}: {error}") from error
    return network.eval()


def choose_face_model(
    config: Mapping[str, Any],
    face_model: FaceModel | str | os.PathLike[str] | None = None,
    level: int | None = None,
) -> FaceModel:
    """Load the face model that a description names, or the given one, if its geometry is the same.

    Raises:
        MGCError: if it is not to be found, or another one.
    """
    try:
        stored = config["face_model"]
        if not isinstance(face_model, FaceModel):
            source = stored["name"] if face_model is None else os.fspath(face_model)
            face_model = load_face_model(source, stored["level"] if level is None else level)
        check_face_model(stored, face_model)
    except (KeyError, TypeError) as error:
        raise MGCError(f"The stored description of the network is incomplete: {error!r}") from error
    return face_model


def load_weights(network: FaceNetwork, state: Mapping[str, Tensor], name: str = "weights") -> None:
    """Load weights and say in one line what does not fit.

    Raises:
        MGCError: if keys are missing, foreign, or of other shapes.
    """
    try:
        network.load_state_dict(dict(state))
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:]]
        raise MGCError(f"The weights of {name} do not fit the network: {' '.join(lines)[:400]}") from error


def resolve_network_file(path: str | os.PathLike[str], suffixes: tuple[str, ...]) -> Path:
    """Find the file of a network: the path itself, or in a folder the first `network.*` among `suffixes`.

    Raises:
        MGCError: if there is none.
    """
    found = Path(path).expanduser()
    if found.is_dir():
        candidates = [found / f"{STEM}{suffix}" for suffix in suffixes]
        file = next((candidate for candidate in candidates if candidate.is_file()), None)
        if file is None:
            raise MGCError(f"{found}: no network here; expected one of {[c.name for c in candidates]}")
        return file
    if not found.is_file():
        raise MGCError(f"{found}: no such checkpoint or export")
    return found


def read_network_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read description and weights of the network out of a Lightning checkpoint.

    Raises:
        MGCError: if the file is damaged, or no training of this program wrote it.
    """
    checkpoint = read_checkpoint(path)
    if NETWORK_KEY not in checkpoint:
        raise MGCError(f"{path}: this Lightning checkpoint holds no face network (no `{NETWORK_KEY}`)")
    prefix = "network."
    state = {
        key.removeprefix(prefix): value for key, value in checkpoint["state_dict"].items() if key.startswith(prefix)
    }
    return checkpoint[NETWORK_KEY], state


def parse_config(text: str | bytes | None, name: str) -> dict[str, Any]:
    """Read the JSON description that an export carries.

    Raises:
        MGCError: if it is absent or no JSON object.
    """
    try:
        config = json.loads(text or "")
    except ValueError as error:
        raise MGCError(f"{name}: holds no `{NETWORK_KEY}`; mgc export did not write it") from error
    if not isinstance(config, dict):
        raise MGCError(f"{name}: `{NETWORK_KEY}` is {type(config).__name__}, expected an object")
    return config


def _read_safetensors(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with safetensors.safe_open(path, framework="pt") as stream:
            metadata = stream.metadata() or {}
            state = {key: stream.get_tensor(key) for key in stream.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise MGCError(f"{path}: not a safetensors file, or damaged ({error})") from error
    return parse_config(metadata.get(NETWORK_KEY), str(path)), state


def count_parameters(network: torch.nn.Module) -> int:
    """Count trainable and frozen parameters."""
    return sum(parameter.numel() for parameter in network.parameters())
