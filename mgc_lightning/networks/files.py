"""Networks of torch written as safetensors, and loaded from those, Lightning checkpoints and export folders."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from mgc_lightning.encoders.rebuild import rebuilding_trouble
from mgc_lightning.encoders.registry import class_path
from mgc_lightning.errors import MGCError
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.files.weights import load_weights, write_tensors
from mgc_lightning.networks.face_network import NETWORK_KEY, FaceNetwork
from mgc_lightning.networks.stored import StoredNetwork, read_network

logger = logging.getLogger(__name__)
SMALL = 1_000_000
"""Numbers that a network may have beside twice those of its file: constants, statistics, what initialisation uses."""


def save_network(network: FaceNetwork, path: str | os.PathLike[str]) -> Path:
    """Write weights and description as one safetensors file.

    The face model's arrays stay out: the file names the face model by name, level and fingerprint. A warning says so
    if no program can build the backbone again from its description.

    Args:
        network: any; written from wherever it is, in its precision.
        path: the file, `.safetensors`.

    Example:
        >>> import tempfile
        >>> from mgc_lightning import Encoder, FaceNetwork, ResNet, load_face_model
        >>> model = load_face_model()
        >>> network = FaceNetwork(Encoder(ResNet(18, width=4), model.layout.total), model, image_size=32)
        >>> path = save_network(network, Path(tempfile.mkdtemp()) / "network.safetensors")
        >>> path.stat().st_size < 1e6, load_network(path).config == network.config  # the face model is not in it
        (True, True)
    """
    backbone = network.encoder.backbone
    trouble = rebuilding_trouble(backbone)
    if trouble is not None:
        logger.warning(
            "%s: no program can build the backbone `%s` again. %s", path, class_path(type(backbone)), trouble
        )
    return write_network(network, path)


def write_network(network: FaceNetwork, path: str | os.PathLike[str]) -> Path:
    """Write as `save_network`, without a word on whether it can be loaded."""
    target = Path(path)
    tensors = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    write_tensors(target, tensors, {NETWORK_KEY: json.dumps(network.config)})
    return target


def load_network(
    path: str | os.PathLike[str] | None = None,
    face_model: FaceModel | str | os.PathLike[str] | None = None,
    level: int | None = None,
    imports: Sequence[str] = (),
) -> FaceNetwork:
    """Read a network, in evaluation mode on the CPU; nothing that the file holds or names is executed or imported.

    Args:
        path: a checkpoint of `lightning fit` (.ckpt), a .safetensors export, the folder of an export, or the
            official weights that `mgc import-official` converted. If not given, the network that comes with the
            package.
        face_model: a face model, its name or its path, used instead of the one that the file names; its
            geometry must be the same.
        level: level of detail of the mesh; that of the training if not given.
        imports: modules that define a backbone of your own, such as `my_nets`.

    Raises:
        MGCError: if there is no such file, it is none of these, its weights do not fit, its backbone is not of this
            package or a named module, or its face model is not to be found or another one.

    Example:
        >>> import tempfile
        >>> from mgc_lightning.encoders import Encoder, ResNet
        >>> from mgc_lightning.face_models import load_face_model
        >>> face_model = load_face_model()
        >>> network = FaceNetwork(Encoder(ResNet(18, width=4), face_model.layout.total), face_model, image_size=32)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     load_network(save_network(network, f"{folder}/network.safetensors")).image_size
        32
    """
    return build_network(read_network(path, programs=False), face_model, level, imports)


def build_network(
    stored: StoredNetwork,
    face_model: FaceModel | str | os.PathLike[str] | None = None,
    level: int | None = None,
    imports: Sequence[str] = (),
) -> FaceNetwork:
    """Build the network of which a file holds the weights, in evaluation mode on the CPU; as `load_network`."""
    if stored.weights is None:
        raise MGCError(f"{stored.file}: expected weights, got a program")
    try:
        network = FaceNetwork.from_config(stored.config, face_model, level, imports, most=_most(stored.weights))
    except MGCError as error:
        raise MGCError(f"{stored.file}: {error}") from error
    load_weights(network, stored.weights, stored.file)
    return network.eval()


def _most(weights: Mapping[str, Tensor]) -> int:
    """Say how large the network of a file can be: a few bytes may describe one of terabytes."""
    return 2 * sum(tensor.numel() for tensor in weights.values()) + SMALL
