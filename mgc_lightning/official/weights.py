"""Converted official weights on disk: safetensors that say which network they are and of what file."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from mgc_lightning.encoders.encoder import Encoder
from mgc_lightning.encoders.official_resnet import official_encoder
from mgc_lightning.errors import MGCError
from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.official.checkpoint import CONVERTERS
from mgc_lightning.official.tf_checkpoint import TensorFlowCheckpoint

FORMAT = "mgc-lightning official weights"


def import_official(checkpoint: str | Path, output: str | Path, network: str = "mgcnet") -> dict[str, str]:
    """Convert a TensorFlow-1 checkpoint of an official network to a safetensors file.

    Args:
        checkpoint: prefix or any file of the checkpoint.
        output: the file to write.
        network: `mgcnet`, `facenet` or `imagenet`.

    Returns:
        The metadata written beside the tensors: network, source, sha256.

    Raises:
        MGCError: if the checkpoint is another network's, incomplete or unreadable.
    """
    if network not in CONVERTERS:
        raise MGCError(f"Argument `network` must be one of {sorted(CONVERTERS)}, got {network!r}")
    if Path(output).suffix != ".safetensors":
        raise MGCError(f"Weights are written as .safetensors, got --output {output}")
    source = TensorFlowCheckpoint(checkpoint)
    state = CONVERTERS[network](source, str(source.prefix))
    about = {"network": network, "source": source.prefix.name, "sha256": source.sha256()}
    save_official(state, output, about)
    return about


def save_official(state: dict[str, Tensor], path: str | Path, about: dict[str, str]) -> None:
    """Write tensors with what they are; `about` holds at least `network`."""
    header = json.dumps({"format": FORMAT, **about}, sort_keys=True)
    with atomic_path(path) as temporary:
        save_file(state, str(temporary), metadata={"official": header})


def read_official(path: str | Path, *networks: str) -> dict[str, Tensor]:
    """Read the tensors of an official network, one of those named.

    Raises:
        MGCError: if the file cannot be read, is no official network or another one.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise MGCError(f"{path} cannot be read as converted official weights ({error})") from error
    found = official_network(path)
    if found not in networks:
        raise MGCError(
            f"{path} does not hold the official `{'` or `'.join(networks)}` network but "
            f"{found or 'tensors of another program'}. Convert its checkpoint: mgc import-official --network "
            f"{networks[0]} --checkpoint CHECKPOINT --output {path}"
        )
    return state


def official_network(path: str | Path) -> str | None:
    """Tell which official network a file says that it holds; None for any other file, or one that cannot be read."""
    try:
        with safe_open(str(path), framework="pt") as file:
            about = json.loads((file.metadata() or {}).get("official", "{}"))
    except (SafetensorError, OSError, ValueError):
        return None
    return about.get("network") if about.get("format") == FORMAT else None


def load_official_encoder(path: str | Path) -> Encoder:
    """Build the official MGCNet encoder with converted weights, in evaluation mode.

    It expects RGB in [0, 1], crops of 224 px aligned by five points, and predicts for BFM 2009 with the
    official landmark set.

    Raises:
        MGCError: if the file holds something else.
    """
    encoder = official_encoder()
    load_weights(encoder, read_official(path, "mgcnet"), path)
    return encoder.eval()


def load_weights(module: nn.Module, state: dict[str, Tensor], path: str | Path) -> None:
    """Load a state dictionary whole.

    Raises:
        MGCError: naming the file and what does not fit.
    """
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise MGCError(f"{path} does not fit the network: {str(error).splitlines()[-1].strip()}") from error
