"""Where the face of a photograph is, told in several ways: the columns of the benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.scan.photo_set import TakenPhotograph
from mgc_lightning.photographs.landmark_files import SUFFIXES
from mgc_lightning.reconstruction.places import FaceFinder, FacePlace
from mgc_lightning.reconstruction.reconstructor import FaceReconstructor
from mgc_lightning.reconstruction.settings import WhereSettings

Column = Literal["detector", "box", "exact", "own"]
TITLES: dict[Column, str] = {
    "detector": "detector's crop",
    "box": "box's crop",
    "exact": "exact points",
    "own": "own colours",
}
"""Columns, in their order: crops of the photographs by a detector's points, by a box, by exact points; and the same
geometry, cameras and lights in the colours of our synthetic faces, by exact points."""


def by_points(reconstructor: FaceReconstructor, photograph: TakenPhotograph, points: Float[Tensor, "P 2"]) -> FacePlace:
    """Align by 68 points, or by NoW's seven, px."""
    known = points if len(points) == 68 else None
    used = points if known is not None else five_of_seven(points)
    return FacePlace(reconstructor.align(photograph.read(), landmarks=used), known)


def five_of_seven(points: Float[Tensor, "7 2"]) -> Float[Tensor, "5 2"]:
    """Reduce NoW's seven points to the five of the alignment: an eye's centre is the middle of its corners.

    Example:
        >>> seven = torch.tensor([[10.0, 0], [20, 0], [40, 0], [50, 0], [30, 20], [20, 40], [40, 40]])
        >>> five_of_seven(seven)[:2].tolist()  # middles of the eyes
        [[15.0, 0.0], [45.0, 0.0]]
    """
    return torch.stack([points[:2].mean(0), points[2:4].mean(0), points[4], points[5], points[6]])


def by_detector(reconstructor: FaceReconstructor, photograph: TakenPhotograph) -> FacePlace | None:
    """Align by the largest face that the reconstructor's detector finds; None if it finds none."""
    try:
        return FaceFinder(reconstructor, WhereSettings(), "auto").find(photograph.read(), photograph.path)[0]
    except MGCError:
        return None


def by_files(reconstructor: FaceReconstructor, photograph: TakenPhotograph, folder: str | Path) -> FacePlace | None:
    """Align by a file of 5 or 68 points, in `DIR/HEAD/photographs/`, `DIR/HEAD/` or `DIR/`; None where there is none.

    Raises:
        MGCError: if the file is bad.
    """
    folder = Path(folder)
    parts = photograph.path.parts[-3:-1]
    for place in (folder / parts[0] / parts[1], folder / parts[0], folder):
        if any((place / f"{photograph.path.stem}{suffix}").is_file() for suffix in SUFFIXES):
            return FaceFinder(reconstructor, WhereSettings(landmarks=place), "auto").find(
                photograph.read(), photograph.path
            )[0]
    return None


def by_box(
    reconstructor: FaceReconstructor, photograph: TakenPhotograph, face: Float[NDArray, "N 3"], looseness: float
) -> FacePlace:
    """Align by a box around the face, hairline to chin, as a careless hand or a plain detector draws it.

    Args:
        reconstructor: aligns.
        photograph: which.
        face: (N, 3) points that the face consists of, scan's frame, mm.
        looseness: see `loose_box`.
    """
    x0, y0, x1, y1 = loose_box(photograph, face, looseness).tolist()
    return FaceFinder(reconstructor, WhereSettings(box=(x0, y0, x1, y1))).find(photograph.read(), photograph.path)[0]


def loose_box(photograph: TakenPhotograph, face: Float[NDArray, "N 3"], looseness: float) -> Float[NDArray, " 4"]:
    """Give x0, y0, x1, y1, px, of points (N, 3); the same photograph has the same box.

    Each side is off by a normal error of `looseness` times the box's size, at most twice that.
    """
    pixels = photograph.project(face).numpy()
    low, high = pixels.min(0), pixels.max(0)
    rng = np.random.default_rng([*photograph.plan.seed, 4])
    off = np.clip(rng.normal(0, 1, 4), -2, 2) * looseness * np.tile(high - low, 2)
    return np.concatenate([low, high]).astype(np.float64) + off
