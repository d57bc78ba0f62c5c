"""Predictions of a network as benchmarks take them: what they have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from jaxtyping import Float
from torch import Tensor
from torch.utils.data import DataLoader

from mgc_lightning.coefficients import FaceCoefficients
from mgc_lightning.errors import MGCError, check_count
from mgc_lightning.evaluation.benchmark import progress
from mgc_lightning.evaluation.photo_sets import BenchmarkPhotos, collate
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.networks.predictor import Predictor
from mgc_lightning.structures import AlignedPhotos

D = TypeVar("D")


@dataclass(frozen=True)
class Submission:
    """Tell what was written and read back.

    Attributes:
        folder: of the predictions.
        names: of their images.
        neutral: whether the predicted expression was left away.
        topology: name of the meshes' topology, where the benchmark asks for it.
    """

    folder: Path
    names: list[str]
    neutral: bool
    topology: str | None = None

    def __str__(self) -> str:
        """Say it in a line."""
        kind = "neutral" if self.neutral else "with expression"
        return f"{self.folder}: {len(self.names)} predictions ({kind}, mm), read back and found complete."


def open_dataset(kind: Callable[..., D], given: D | str | Path, **folders: str | Path | None) -> D:
    """Open a data set with the folders of the settings, or take one that is opened already.

    Args:
        kind: class of the data set.
        given: folder of the data set, or the data set.
        folders: arguments of the class, where they are given.

    Raises:
        MGCError: if the data set is opened already, and has folders of its own, or cannot be opened.
    """
    if isinstance(given, str | Path):
        return kind(given, **folders)
    named = [name for name, folder in folders.items() if folder is not None]
    if named:
        raise MGCError(
            f"`{named[0]}` is for a data set that is named by its folder; this one is opened already, and has its own: "
            f"give it to `{type(given).__name__}(..., {named[0]}=...)`"
        )
    return given


def scored_verts(face_model: FaceModel, coefficients: FaceCoefficients, neutral: bool) -> Float[Tensor, "B N 3"]:
    """Decode the meshes that are scored, mm.

    NoW asks for neutral faces. REALY's subjects are neutral too, but its published scores are of meshes as they were
    predicted.

    Args:
        face_model: of the network.
        coefficients: absolute.
        neutral: leave the predicted expression away.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> model = load_face_model()
        >>> face = model.mean_coefficients(batch_size=1)
        >>> face.expression[:] = 0.5
        >>> (scored_verts(model, face, neutral=True)[0] - model.mean).abs().max().item()  # the expression is left away
        0.0
    """
    return face_model.shape(coefficients.identity, None if neutral else coefficients.expression)


def predict(
    predictor: Predictor, photos: BenchmarkPhotos, batch_size: int, title: str
) -> Iterator[tuple[AlignedPhotos, FaceCoefficients]]:
    """Predict the coefficients of photographs, batch by batch, under a progress bar."""
    check_count("batch_size", batch_size)
    for batch in progress(DataLoader(photos, batch_size, collate_fn=collate), title):
        yield batch, predictor.coefficients(batch.images.to(predictor.device))
