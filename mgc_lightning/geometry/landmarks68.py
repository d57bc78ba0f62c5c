"""Those of iBUG's 68 landmarks that alignments and benchmarks go by."""

from __future__ import annotations

FIVE_POINTS = (slice(36, 42), slice(42, 48), slice(33, 34), slice(48, 49), slice(54, 55))
"""Landmarks whose means are the five points: eyes, nose base, mouth corners (MGCNet sec. 5.2)."""

TEMPLATE_5 = (
    (81.672401, 88.470589),
    (141.862671, 88.462921),
    (112.000000, 132.863434),
    (87.397392, 153.562943),
    (136.007263, 153.552078),
)
"""Where the five points lie in an aligned crop of 224 px: those of the mean BFM face at the main pose (sec. 5.2)."""

TEMPLATE_SIZE = 224
"""Side in px of the crop that `TEMPLATE_5` lies in."""

SEVEN_POINTS = (36, 39, 42, 45, 33, 48, 54)
"""Eye corners, nose base, mouth corners: the seven landmarks of NoW, and of REALY's global alignment."""
