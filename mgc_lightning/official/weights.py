"""Conversion of the official program's checkpoints to files of weights."""

from __future__ import annotations

from pathlib import Path

from mgc_lightning.errors import MGCError, check_choice
from mgc_lightning.files.weights import save_official
from mgc_lightning.official.checkpoint import CONVERTERS
from mgc_lightning.official.kinds import OfficialNetwork
from mgc_lightning.official.tf_checkpoint import TensorFlowCheckpoint


def import_official(checkpoint: str | Path, output: str | Path, network: OfficialNetwork = "mgcnet") -> dict[str, str]:
    """Convert a TensorFlow-1 checkpoint of an official network to a safetensors file.

    Args:
        checkpoint: prefix or any file of the checkpoint.
        output: the file to write.
        network: which network it is.

    Returns:
        The metadata written beside the tensors: network, source, sha256.

    Raises:
        MGCError: if the checkpoint is another network's, incomplete or unreadable.

    Example:
        >>> import_official("model-400000", "mgcnet.safetensors")["network"]  # doctest: +SKIP
        'mgcnet'
    """
    check_choice("network", network, OfficialNetwork)
    if Path(output).suffix != ".safetensors":
        raise MGCError(f"`output` must end in .safetensors; got {output}")
    source = TensorFlowCheckpoint(checkpoint)
    state = CONVERTERS[network](source, str(source.prefix))
    about = {"network": network, "source": source.prefix.name, "sha256": source.sha256()}
    save_official(state, output, about)
    return about
