"""Start a training from stored weights: of a whole network, or of an official backbone alone."""

from __future__ import annotations

from pathlib import Path

from mgc_lightning.errors import MGCError
from mgc_lightning.files.weights import load_weights, official_network, read_metadata
from mgc_lightning.networks.face_network import FaceNetwork
from mgc_lightning.networks.stored import StoredNetwork, read_network
from mgc_lightning.official.initialise import initialise_backbone


def starting_network(source: str | Path) -> StoredNetwork | None:
    """Read the network that a training starts from; None where the file holds an official backbone alone.

    Args:
        source: the name of a network of the package, a .ckpt or .safetensors, the folder of an export; or what `mgc
            import-official` wrote.

    Raises:
        MGCError: if there is no such file, or it is none of these.
    """
    file = Path(source)
    if file.suffix == ".safetensors" and file.is_file() and official_network(read_metadata(file)) is not None:
        return None
    return read_network(source, programs=False)


def start_from(network: FaceNetwork, source: str | Path, stored: StoredNetwork | None) -> None:
    """Load weights into a network: all of them, or those of its backbone.

    Args:
        network: as the config builds it.
        source: the file.
        stored: what `starting_network` read there.

    Raises:
        MGCError: if they are of another architecture, face model or output scaling.

    Example:
        >>> import tempfile
        >>> from mgc_lightning import Encoder, ResNet, load_face_model, save_network
        >>> face_model = load_face_model()
        >>> def network():
        ...     return FaceNetwork(Encoder(ResNet(18, width=4), face_model.layout.total), face_model, image_size=32)
        >>> trained, fresh = network(), network()
        >>> file = save_network(trained, f"{tempfile.mkdtemp()}/network.safetensors")
        >>> start_from(fresh, file, starting_network(file))
        >>> bool((fresh.encoder.head.linear.weight == trained.encoder.head.linear.weight).all())
        True
    """
    if stored is None:
        initialise_backbone(network.encoder.backbone, source)
        return
    try:
        network.check_config(stored.config)
    except MGCError as error:
        raise MGCError(f"{stored.file}: {error}") from error
    load_weights(network, stored.weights or {}, stored.file)
