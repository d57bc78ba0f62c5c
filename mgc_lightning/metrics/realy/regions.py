"""The four regions of REALY and the keypoints that each of them is aligned by (indices into the 85)."""

from __future__ import annotations

from typing import Literal, get_args

Region = Literal["nose", "mouth", "forehead", "cheek"]
"""Regions of the face, each with a score of its own."""
REGIONS: tuple[Region, ...] = get_args(Region)
"""In the order of the official table."""

KEYPOINT_COUNT = 85
"""The 68 of iBUG, and 17 on the cheeks, beside the nose and on the chin."""

_NOSE = tuple(range(27, 36))
_MOUTH = (*range(48, 61), 64)
_FOREHEAD = (*range(36, 48), *range(17, 27))

RIGID_KEYPOINTS: dict[Region, tuple[int, ...]] = {
    "nose": (*range(27, 32), 35, 32, 33, 34, 70, 71),
    "mouth": _MOUTH,
    "forehead": _FOREHEAD,
    "cheek": (*_MOUTH, 76, 77, 36, 41, 40, 39, 42, 47, 46, 45, 7, 8, 9),
}
"""Keypoints that take part in the rigid alignment of a region."""

RIGID_KEYPOINT_SHARE: dict[Region, float] = {"nose": 1.0, "mouth": 1.0, "forehead": 1.0, "cheek": 0.25}
"""Weight of all keypoints of a region together, relative to that of the scan."""

NONRIGID_KEYPOINTS: dict[Region, tuple[int, ...]] = {
    "nose": _NOSE,
    "mouth": _MOUTH,
    "forehead": _FOREHEAD,
    "cheek": (),
}
"""Keypoints that guide the non-rigid registration of a region; the cheek has none."""
