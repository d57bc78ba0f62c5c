"""The errors of one method, as `mgc benchmark now` and `mgc benchmark realy` have written them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.folder import BenchmarkFolder
from mgc_lightning.evaluation.settings import Protocol
from mgc_lightning.files.reading import reading
from mgc_lightning.files.text import read_json
from mgc_lightning.files.unpickle import load_arrays
from mgc_lightning.metrics.realy.regions import REGIONS


@dataclass(frozen=True)
class Method:
    """Hold the errors of one method.

    Attributes:
        name: of the method: the results file's.
        protocol: `now` or `realy`.
        images: names of the images that were scored, in the order of the data set.
        errors: an array an image, mm: of NoW the distances of all scan points, of REALY the four regions' errors.

    Example:
        >>> method = Method("mine", "realy", ("1", "2_1"), (np.ones(4), np.zeros(4)))
        >>> method.subjects, method.image_errors.tolist()
        (('1', '2'), [1.0, 0.0])
    """

    name: str
    protocol: Protocol
    images: tuple[str, ...]
    errors: tuple[Float[NDArray, " _"], ...]

    @property
    def subjects(self) -> tuple[str, ...]:
        """Who each image shows."""
        return tuple(name.split("/" if self.protocol == "now" else "_")[0] for name in self.images)

    @property
    def image_errors(self) -> Float[NDArray, " I"]:
        """One number an image: the median of its distances (NoW), the mean of its regions (REALY), mm."""
        single = np.median if self.protocol == "now" else np.mean
        return np.array([single(errors) for errors in self.errors])

    def on(self, images: Sequence[str]) -> Method:
        """Keep some of the images, in the given order."""
        places = {name: place for place, name in enumerate(self.images)}
        return replace(self, images=tuple(images), errors=tuple(self.errors[places[name]] for name in images))


def read_method(path: str | Path) -> Method:
    """Read what a benchmark has written: the JSON file, and of NoW the distances in the folder beside it.

    Raises:
        MGCError: if a file is missing, damaged, or no results of NoW or REALY.

    Example:
        >>> import tempfile
        >>> from mgc_lightning.files.text import write_json
        >>> image = {"name": "3_1", "nose": 1.2, "mouth": 1.6, "forehead": 1.4, "cheek": 1.8}
        >>> results = {"regions": {}, "images": [image]}  # of REALY, as far as they count here
        >>> method = read_method(write_json(Path(tempfile.mkdtemp()) / "mine.json", results))
        >>> method.name, method.protocol, method.subjects, method.image_errors.round(2).tolist()
        ('mine', 'realy', ('3',), [1.5])
    """
    folder = BenchmarkFolder(Path(path))
    with reading(path, "expected the results of `mgc benchmark now` or `mgc benchmark realy`"):
        content = read_json(path)
        rows: list[dict[str, Any]] = content["images"]
        images = tuple(str(row["name"]) for row in rows)
        if not images or len(set(images)) < len(images):
            raise ValueError("no images, or one twice")
        if "regions" in content:
            errors = tuple(np.array([float(row[region]) for region in REGIONS]) for row in rows)
            return Method(folder.output.stem, "realy", images, errors)
        lengths = [int(row["distances"]) for row in rows]
    files = sorted(folder.folder.glob("*_computed_distances*.npy"))
    if len(files) != 1:
        raise MGCError(
            f"{folder.folder}: expected one file *_computed_distances*.npy, which `mgc benchmark now` writes beside "
            f"its results, found {len(files)}"
        )
    with reading(files[0], "expected the official dictionary of distances"):
        distances = [np.asarray(each, np.float64) for each in load_arrays(files[0])["computed_distances"]]
    if [len(each) for each in distances] != lengths:
        raise MGCError(f"{files[0]}: its distances are not those of {path}: run the benchmark again")
    return Method(folder.output.stem, "now", images, tuple(distances))


def on_common_images(methods: Sequence[Method], common: bool) -> tuple[list[Method], list[str]]:
    """Bring methods to the same images in the same order; give also the names of those left out.

    Args:
        methods: two or more, of one benchmark.
        common: leave out the images that not all of them have, instead of refusing.

    Raises:
        MGCError: if the methods are fewer, of different benchmarks or scans, of equal names, or their images differ.
    """
    if len(methods) < 2:
        raise MGCError(f"Expected the results of two or more methods, got {len(methods)}")
    first = methods[0]
    for method in methods[1:]:
        if method.protocol != first.protocol:
            raise MGCError(f"{first.name} was scored by {first.protocol}, {method.name} by {method.protocol}")
    names = [method.name for method in methods]
    if len(set(names)) < len(names):
        raise MGCError(f"Two results have the same name: {', '.join(names)}; rename a file with its folder")
    shared = set(first.images).intersection(*(method.images for method in methods[1:]))
    images = [name for name in first.images if name in shared]
    left_out = sorted(set().union(*(method.images for method in methods)) - shared)
    if left_out and not common:
        lacking = next(m.name for m in methods if left_out[0] not in m.images)
        raise MGCError(
            f"{len(left_out)} images are not of all methods: {lacking} lacks {left_out[0]}. Give `common=True` to "
            "compare on the others"
        )
    if not images:
        raise MGCError("The methods have no image in common")
    chosen = [method.on(images) for method in methods]
    for method in chosen[1:]:
        for name, ours, theirs in zip(images, chosen[0].errors, method.errors, strict=True):
            if len(ours) != len(theirs):
                raise MGCError(
                    f"{name} has {len(ours)} distances of {first.name} and {len(theirs)} of {method.name}: they were "
                    "scored on different scans"
                )
    return chosen, left_out
