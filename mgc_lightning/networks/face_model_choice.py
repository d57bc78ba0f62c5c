"""The face model of a stored network: the one that its description names, or a given one of the same geometry."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import available_face_models, load_face_model
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.files.names import safe_name


def choose_face_model(
    stored: Mapping[str, Any], face_model: FaceModel | str | os.PathLike[str] | None = None, level: int | None = None
) -> FaceModel:
    """Load the face model of a stored network, and make sure that it is the one of its training.

    Args:
        stored: the entry `face_model` of `FaceNetwork.config`.
        face_model: a face model, its name or its path, used instead of the one that is named there.
        level: level of detail of the mesh; that of the training if not given.

    Raises:
        MGCError: if it is not to be found, or its geometry is another one.

    Example:
        >>> from mgc_lightning import Encoder, FaceNetwork, ResNet
        >>> model = load_face_model()
        >>> network = FaceNetwork(Encoder(ResNet(18, width=4), model.layout.total), model, image_size=32)
        >>> stored = network.config["face_model"]
        >>> choose_face_model(stored).num_verts, choose_face_model(stored, level=1).num_verts
        (4032, 16001)
    """
    if not isinstance(face_model, FaceModel):
        # A name that is stored is one of a model, and leads to no file of this machine.
        known = face_model is not None or stored["name"] in available_face_models()
        name = stored["name"] if known else safe_name(stored["name"], "The stored network's face model")
        source = name if face_model is None else os.fspath(face_model)
        try:
            face_model = load_face_model(source, stored["level"] if level is None else level)
        except MGCError as error:
            remedy = stored.get("remedy") if source == stored["name"] else None
            raise MGCError(f"{error}. {remedy}" if remedy else str(error)) from error
    check_face_model(stored, face_model)
    return face_model


def check_face_model(stored: Mapping[str, Any], face_model: FaceModel) -> None:
    """Compare the face model that a network was trained with to the one at hand.

    Raises:
        MGCError: if their geometry differs: the coefficients would mean other faces.

    Example:
        >>> model = load_face_model()
        >>> check_face_model({"name": "mine", "fingerprint": model.fingerprint}, model)  # the same geometry
    """
    if stored["fingerprint"] not in (None, face_model.fingerprint):
        raise MGCError(
            f"The network was trained with face model `{stored['name']}` (fingerprint "
            f"{stored['fingerprint'][:12]}, coefficients {stored.get('layout')}), but this one is "
            f"`{face_model.name}` (fingerprint {face_model.fingerprint[:12]}, coefficients "
            f"{asdict(face_model.layout)}). Load the face model of the training, or train again."
        )
