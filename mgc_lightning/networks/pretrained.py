"""Trained networks by name: one that comes with the package, a folder, or a repository of the Hugging Face hub."""

from __future__ import annotations

import os
import re
from pathlib import Path

from mgc_lightning.errors import MGCError, require
from mgc_lightning.networks.shipped import CARD, WEIGHTS, shipped_names, shipped_network
from mgc_lightning.networks.stored import FORMS, STEM

REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
"""What a repository of the hub is called: its owner and its name."""
FILES = (WEIGHTS, f"{STEM}.json", CARD, "README.md")
"""All that is taken from a repository."""


def pretrained_weights(source: str | os.PathLike[str] | None = None, revision: str | None = None) -> Path:
    """Find the weights of a trained network: a safetensors file, which holds numbers and a description, no program.

    Args:
        source: the name of a network that comes with the package, its default if not given; a folder with
            `network.safetensors`, as `mgc export` writes it; such a file; or `owner/name`, a repository of the Hugging
            Face hub that holds one, which is downloaded to the hub's cache.
        revision: branch, tag or commit of the repository.

    Raises:
        MGCError: if there is none, or it cannot be downloaded.
        MissingExtraError: if it can only be a repository, and huggingface_hub is not installed.

    Example:
        >>> pretrained_weights("runs/best.ckpt")
        Traceback (most recent call last):
        mgc_lightning.errors.MGCError: runs/best.ckpt: no such file or folder, and no network of the package
    """
    if source is None or os.fspath(source) in shipped_names():
        return (shipped_network() if source is None else shipped_network(os.fspath(source))) / WEIGHTS
    place = Path(source).expanduser()
    if not place.exists():
        name = os.fspath(source)
        if place.suffix in FORMS or not REPOSITORY.fullmatch(name):
            raise MGCError(f"{name}: no such file or folder, and no network of the package")
        place = _download(name, revision)
    file = place / WEIGHTS if place.is_dir() else place
    if file.suffix != Path(WEIGHTS).suffix or not file.is_file():
        raise MGCError(
            f"{place}: expected {WEIGHTS}, or a folder with it (mgc export --formats safetensors writes one); "
            "`FaceReconstructor.load` takes checkpoints and programs"
        )
    return file


def _download(name: str, revision: str | None) -> Path:
    try:
        hub = require("huggingface_hub", "hub")
    except MGCError as error:
        raise type(error)(f"{name}: no such file or folder here. For a repository of the hub: {error}") from error
    try:
        return Path(hub.snapshot_download(name, revision=revision, allow_patterns=list(FILES)))
    except Exception as error:  # the hub's own classes, and those of what it downloads with
        said = next(iter(str(error).splitlines()), type(error).__name__)
        raise MGCError(f"{name}: no such file or folder here, and the hub does not give it: {said}") from error
