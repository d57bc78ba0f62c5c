"""From files of results to a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mgc_lightning.evaluation.compare.methods import on_common_images, read_method
from mgc_lightning.evaluation.compare.statistics import Comparison, compare


def compare_methods(results: Sequence[str | Path], common: bool = False) -> Comparison:
    """Compare methods that were scored by NoW or by REALY on the same images.

    Args:
        results: the JSON files of `mgc benchmark now` or `mgc benchmark realy`, two or more; of NoW the folders beside
            them too. The first is what the others are compared with.
        common: leave out images that not all methods have, instead of refusing.

    Raises:
        MGCError: if a file cannot be read, or the methods cannot be compared.

    Example:
        >>> comparison = compare_methods(["mean_face.json", "mine.json"])  # doctest: +SKIP
        >>> comparison.rows[1].verdict  # doctest: +SKIP
        'better'
    """
    methods, left_out = on_common_images([read_method(path) for path in results], common)
    return compare(methods, left_out)
