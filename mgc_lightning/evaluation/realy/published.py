"""Published REALY results, for comparison: 3DDFA-V3 (Wang et al., CVPR 2024), table 2; mm, mean and std."""

from __future__ import annotations

from typing import NamedTuple


class PublishedRow(NamedTuple):
    """Hold the row of one method: (mean, std) of nose, mouth, forehead and cheek, and the mean over all.

    Example:
        >>> row = next(row for row in PUBLISHED["frontal"] if row.method == "MGCNet")
        >>> row.regions[0], row.all  # mean and std of the nose, mean of all, mm
        ((1.771, 0.38), 1.774)
    """

    method: str
    regions: tuple[tuple[float, float], ...]
    all: float


def _row(method: str, all_: float, *numbers: float) -> PublishedRow:
    return PublishedRow(method, tuple(zip(numbers[::2], numbers[1::2], strict=True)), all_)


SOURCES = "100 subjects of REALY, as in table 2 of 3DDFA-V3 (CVPR 2024)"

PUBLISHED: dict[str, tuple[PublishedRow, ...]] = {
    "frontal": (
        _row("MGCNet", 1.774, 1.771, 0.380, 1.417, 0.409, 2.268, 0.503, 1.639, 0.650),
        _row("PRNet", 2.013, 1.923, 0.518, 1.838, 0.637, 2.429, 0.588, 1.863, 0.698),
        _row("Deep3D", 1.657, 1.719, 0.354, 1.368, 0.439, 2.015, 0.449, 1.528, 0.501),
        _row("3DDFA-v2", 1.926, 1.903, 0.517, 1.597, 0.478, 2.447, 0.647, 1.757, 0.642),
        _row("HRN", 1.537, 1.722, 0.330, 1.357, 0.523, 1.995, 0.476, 1.072, 0.333),
        # The regions of this row average to 2.021: one of its published numbers is a misprint.
        _row("DECA", 2.010, 1.694, 0.355, 2.516, 0.839, 2.394, 0.576, 1.479, 0.535),
        _row("3DDFA-V3", 1.436, 1.586, 0.306, 1.238, 0.373, 1.810, 0.394, 1.111, 0.327),
    ),
    "side": (
        _row("MGCNet", 1.787, 1.827, 0.383, 1.409, 0.418, 2.248, 0.508, 1.665, 0.644),
        _row("PRNet", 2.032, 1.868, 0.510, 1.856, 0.607, 2.445, 0.570, 1.960, 0.731),
        _row("Deep3D", 1.691, 1.749, 0.343, 1.411, 0.395, 2.074, 0.486, 1.528, 0.517),
        _row("3DDFA-v2", 1.943, 1.883, 0.499, 1.642, 0.501, 2.465, 0.622, 1.781, 0.636),
        _row("HRN", 1.468, 1.642, 0.310, 1.285, 0.528, 1.906, 0.479, 1.038, 0.322),
        _row("DECA", 2.107, 1.903, 1.050, 2.472, 1.079, 2.423, 0.720, 1.630, 1.135),
        _row("3DDFA-V3", 1.442, 1.623, 0.313, 1.205, 0.366, 1.864, 0.424, 1.076, 0.315),
    ),
}
