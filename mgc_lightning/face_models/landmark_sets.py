"""Face models that come with more than one set of landmarks, chosen by name: `bfm09@official`."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models.model_data import FaceModelData
from mgc_lightning.geometry.landmarks68 import SEVEN_POINTS

PREFIX = "landmarks68."
"""Start of the names of the sets among a model's further arrays."""


def split_name(name: str) -> tuple[str, str]:
    """Split `model@set` into the model and the set, which is empty where none is named.

    Example:
        >>> split_name("bfm09@official"), split_name("makehuman"), split_name("folder@x/model.npz")
        (('bfm09', 'official'), ('makehuman', ''), ('folder@x/model.npz', ''))
    """
    match = re.fullmatch(r"(.+)@([A-Za-z0-9_-]+)", name)
    return (match[1], match[2]) if match else (name, "")


def landmark_sets(data: FaceModelData) -> list[str]:
    """List the sets that a model brings."""
    return sorted(key.removeprefix(PREFIX) for key in data.extras if key.startswith(PREFIX))


def choose_landmarks(data: FaceModelData, name: str) -> FaceModelData:
    """Give the model with another set of landmarks; its geometry and fingerprint stay.

    Raises:
        MGCError: if it has no such set.

    Example:
        >>> from mgc_lightning.face_models import load_face_model_data
        >>> choose_landmarks(load_face_model_data(), "official")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        mgc_lightning.errors.MGCError: ...
    """
    if name not in landmark_sets(data):
        sets = ", ".join(landmark_sets(data)) or "none"
        raise MGCError(f"Face model `{data.info.name}` has no landmark set `{name}`; it has: {sets}")
    index = data.extras[PREFIX + name].astype(np.int64).reshape(68, -1)
    weights = np.full(index.shape, 1 / index.shape[1], dtype=np.float32)
    return replace(
        data,
        info=replace(data.info, name=f"{data.info.name}@{name}"),
        landmarks68_index=index,
        landmarks68_weights=weights,
        landmarks7_index=index[list(SEVEN_POINTS)],
        landmarks7_weights=weights[list(SEVEN_POINTS)],
    )
