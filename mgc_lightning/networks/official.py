"""The official MGCNet as one of our networks: converted weights, BFM 2009 and the official landmark set."""

from __future__ import annotations

import os
from pathlib import Path

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import available_face_models, load_face_model
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.networks.face_network import FaceNetwork
from mgc_lightning.official.weights import load_official_encoder

FACE_MODEL = "bfm09@official"
"""Its coefficients are BFM 2009's, and its landmarks the official program's (one vertex beside the right ones)."""


def load_official_network(
    path: str | os.PathLike[str], face_model: FaceModel | str | os.PathLike[str] | None = None
) -> FaceNetwork:
    """Build the official network: crops of 224 px, focal length 4700 px, no output scaling.

    Args:
        path: what `mgc import-official` wrote.
        face_model: another face model of the same coefficients, e.g. `bfm09-deep3d@official`.

    Raises:
        MGCError: if the file holds something else, or BFM 2009 is not installed.
    """
    encoder = load_official_encoder(Path(path))
    if not isinstance(face_model, FaceModel):
        source = FACE_MODEL if face_model is None else os.fspath(face_model)
        if source == FACE_MODEL and "bfm09" not in available_face_models():
            raise MGCError(
                f"{path} predicts coefficients of BFM 2009, which is not installed. Convert your copy: mgc "
                "face-model import bfm09 --source bfm09_trim_exp_uv_presplit.h5 (or bfm09-deep3d --name bfm09)"
            )
        face_model = load_face_model(source)
    return FaceNetwork(encoder, face_model).eval()
