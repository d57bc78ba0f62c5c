"""Whose 68 points they are: what a detector means by iBUG's points, and how its points become iBUG's."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.errors import check_choice
from mgc_lightning.photographs.settings import Convention

OFFSET_DATA = Path(__file__).parent / "data" / "landmark_offsets.json"
"""Offsets of the detectors, by tools/measure_landmark_offsets.py."""
INNER = slice(17, 68)
"""Points that stay where they are on the head, whatever the jaw is."""
SLIDING_FROM, SLIDING_TO = 10.0, 30.0
"""Yaw in degrees at which jaw points of the 2D kind begin to slide along the head, and at which they are not used."""


@dataclass(frozen=True)
class LandmarkOffsets:
    """Hold how a detector's points differ from iBUG's.

    Attributes:
        jaw: "3d" on the head's true contour, "2d" on the outline that is seen, which slides along the head with yaw.
        offsets: (68, 2) detector minus iBUG on a frontal face, in % of the distance of the outer eye corners, x to the
            viewer's right, y down.
    """

    jaw: Literal["2d", "3d"]
    offsets: Float[Tensor, "68 2"]


@cache
def _table() -> tuple[Float[Tensor, "68 2"], dict[str, LandmarkOffsets]]:
    content = json.loads(OFFSET_DATA.read_text(encoding="utf-8"))
    rows = {
        name: LandmarkOffsets(row["jaw"], torch.tensor(row.get("offsets") or np.zeros((68, 2)), dtype=torch.float32))
        for name, row in content["conventions"].items()
    }
    return torch.tensor(content["frontal"], dtype=torch.float32), rows


def landmark_offsets(convention: Convention) -> LandmarkOffsets:
    """Give what is known of a convention.

    Raises:
        MGCError: if there is no such convention.

    Example:
        >>> landmark_offsets("ibug").jaw, landmark_offsets("ibug-2d").jaw
        ('3d', '2d')
        >>> bool(landmark_offsets("ibug").offsets.any()), bool(landmark_offsets("mediapipe").offsets.any())
        (False, True)
    """
    check_choice("convention", convention, Convention)
    return _table()[1][convention]


def to_ibug(points: Float[Tensor, "68 2"], convention: Convention) -> Float[Tensor, "68 2"]:
    """Turn a convention's points into iBUG's: its offsets are taken off, turned and foreshortened with the face.

    Args:
        points: (68, 2) px.
        convention: whose points they are.

    Raises:
        MGCError: if the convention is unknown.

    Example:
        >>> points = _table()[0] * 2 + 100
        >>> bool((to_ibug(points, "ibug") == points).all()), bool((to_ibug(points, "mediapipe") == points).all())
        (True, False)
    """
    offsets = landmark_offsets(convention).offsets
    if not bool(offsets.any()):
        return points
    return points - offsets.to(points) @ face_axes(points).mT


def face_axes(points: Float[Tensor, "68 2"]) -> Float[Tensor, "2 2"]:
    """Give where 1 % of the outer-eye distance to the right, and down, on a frontal face go in a picture (columns, px).

    The linear part of the affine map that lays the mean frontal face on the points: it turns with the head's roll,
    and shortens with its yaw and pitch.

    Example:
        >>> frontal = _table()[0]  # % of the distance of the outer eye corners
        >>> face_axes(3.0 * frontal + 100.0).round(decimals=3) + 0.0
        tensor([[3., 0.],
                [0., 3.]])
    """
    frontal = _table()[0].to(points)[INNER]
    design = torch.cat([frontal, torch.ones_like(frontal[:, :1])], dim=1)
    return torch.linalg.lstsq(design, points[INNER]).solution[:2].mT


def slides(convention: Convention) -> bool:
    """Tell whether the jaw points are the outline that is seen, which slides along the head with yaw.

    Example:
        >>> slides("ibug-2d"), slides("face-alignment")
        (True, False)
    """
    return landmark_offsets(convention).jaw == "2d"


def jaw_trust(yaw: float) -> Float[Tensor, " 68"]:
    """Weigh points whose jaw slides: 1, and for the jaw less with the yaw in degrees, down to 0.

    Example:
        >>> jaw_trust(20.0)[[8, 30]].tolist()
        [0.5, 1.0]
    """
    weights = torch.ones(68)
    weights[:17] = min(1.0, max(0.0, (SLIDING_TO - abs(yaw)) / (SLIDING_TO - SLIDING_FROM)))
    return weights
