"""Random heads from MakeHuman's morph targets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np

from tools.makehuman_build.assets import Assets

GENDERS = ("female", "male")
AGES = ("child", "young", "old")
AGE_ANCHORS = (1 / 3, 2 / 3, 1.0)
ANCESTRIES = ("african", "asian", "caucasian")
MUSCLES = ("minmuscle", "averagemuscle", "maxmuscle")
WEIGHTS = ("minweight", "averageweight", "maxweight")
THIRDS = (0.0, 0.5, 1.0)
HEIGHTS = ("minheight", "maxheight")
PROPORTIONS = ("idealproportions", "uncommonproportions")
HEAD_SHAPES = ("diamond", "invertedtriangular", "oval", "rectangular", "round", "square", "triangular")
LOCAL_GROUPS = ("cheek", "chin", "ears", "eyebrows", "eyes", "forehead", "head", "mouth", "nose")
NUM_ASYMMETRIES = 29

Reader = Callable[[str], np.ndarray]


@dataclass
class LocalMorph:
    """Hold one morph with its opposite, on the left, the right or both.

    Attributes:
        name: e.g. `nose-hump-decr-incr`.
        scale: standard deviation of its activation.
        sides: per side (positive, negative) displacements (N0, 3) in mm.
    """

    name: str
    scale: float
    sides: list[tuple[np.ndarray, np.ndarray]]


@dataclass
class Morphs:
    """Hold all morphs of the head.

    Attributes:
        macro: (K, N0, 3) phenotype displacements in mm.
        macro_labels: K tuples of the phenotype words that multiply.
        local: pairs of opposites.
        head_shapes: (7, N0, 3).
        asymmetries: (29, 2, N0, 3) to the left and to the right.
    """

    macro: np.ndarray
    macro_labels: list[tuple[str, ...]]
    local: list[LocalMorph]
    head_shapes: np.ndarray
    asymmetries: np.ndarray


def read_morphs(assets: Assets, base_ids: np.ndarray, num_verts: int) -> Morphs:
    """Read every target that moves the head, restricted to the control vertices."""

    def read(name: str) -> np.ndarray:
        return assets.target(f"mpfb2/targets/{name}.target.gz", num_verts)[base_ids]

    files = _macro_files()
    pairs = _asymmetry_names(assets)
    return Morphs(
        macro=np.stack([read(name) for name, _ in files]),
        macro_labels=[labels for _, labels in files],
        local=_read_local(assets, read),
        head_shapes=np.stack([read(f"head/head-{shape}") for shape in HEAD_SHAPES]),
        asymmetries=np.stack([np.stack([read(f"{name}-{side}") for side in "lr"]) for name in pairs]),
    )


def _macro_files() -> list[tuple[str, tuple[str, ...]]]:
    folder = "macrodetails"
    files: list[tuple[str, tuple[str, ...]]] = []
    for gender, age in product(GENDERS, AGES):
        files += [(f"{folder}/{race}-{gender}-{age}", (race, gender, age)) for race in ANCESTRIES]
        for muscle, weight in product(MUSCLES, WEIGHTS):
            labels = (gender, age, muscle, weight)
            stem = "-".join(labels)
            files.append((f"{folder}/universal-{stem}", labels))
            files += [(f"{folder}/height/{stem}-{height}", (*labels, height)) for height in HEIGHTS]
            files += [(f"{folder}/proportions/{stem}-{shape}", (*labels, shape)) for shape in PROPORTIONS]
    return files


def _asymmetry_names(assets: Assets) -> list[str]:
    counts = {"brown": 2, "cheek": 2, "ear": 4, "eye": 8, "jaw": 3, "mouth": 2, "nose": 4, "temple": 2, "top": 2}
    names = [f"asym/asym-{part}-{number + 1}" for part, count in counts.items() for number in range(count)]
    assert len(names) == NUM_ASYMMETRIES
    return names


def _read_local(assets: Assets, read: Reader) -> list[LocalMorph]:
    catalogue = assets.json("mpfb2/targets/target.json")
    morphs = []
    for group in LOCAL_GROUPS:
        for category in catalogue[group]["categories"]:
            opposites = category.get("opposites", {})
            sides = []
            for side in ("left", "right", "unsided"):
                positive, negative = opposites.get(f"positive-{side}"), opposites.get(f"negative-{side}")
                if positive and negative:
                    sides.append((read(f"{group}/{positive}"), read(f"{group}/{negative}")))
            if sides:
                morphs.append(LocalMorph(category["name"], local_scale(group, category["name"]), sides))
    return morphs


def local_scale(group: str, name: str) -> float:
    """Give a morph's standard deviation: .20, less for those that only move or caricature the head.

    Example:
        >>> local_scale("nose", "nose-hump-decr-incr"), round(local_scale("ears", "ear-lobe-decr-incr"), 3)
        (0.2, 0.12)
    """
    factor = 1.0
    if ("trans-in-out" in name and group in ("head", "nose", "mouth")) or name.startswith("head-trans"):
        factor = 0.25
    elif "eye-push" in name:
        factor = 0.5
    elif group == "ears":
        factor = 0.6
    elif name.startswith("head-age"):
        factor = 0.7
    return 0.20 * factor


def _interpolation(values: np.ndarray, anchors: tuple[float, ...]) -> np.ndarray:
    """Give linear weights (n, len(anchors)) of values between anchors, clamped."""
    return np.stack([np.interp(values, anchors, row) for row in np.eye(len(anchors))], axis=1)


def _phenotypes(rng: np.random.Generator, count: int) -> dict[str, np.ndarray]:
    """Draw people; give the weight (n,) of every phenotype word."""
    gender = rng.beta(0.8, 0.8, count)
    age = np.where(rng.random(count) < 0.88, rng.uniform(0.6, 1, count), rng.uniform(0.4, 0.6, count))
    muscle = np.clip(rng.normal(0.5, 0.17, count), 0, 1)
    weight = np.clip(rng.normal(0.5, 0.2, count), 0, 1)
    height = np.clip(rng.normal(0.5, 0.1, count), 0, 1)
    columns = [
        (GENDERS, _interpolation(gender, (0.0, 1.0))),
        (AGES, _interpolation(age, AGE_ANCHORS)),
        (ANCESTRIES, rng.dirichlet([0.6] * 3, count)),
        (MUSCLES, _interpolation(muscle, THIRDS)),
        (WEIGHTS, _interpolation(weight, THIRDS)),
        (HEIGHTS, _interpolation(height, (0.0, 1.0))),
        (PROPORTIONS, np.full((count, 2), 0.5)),
    ]
    return {word: table[:, index] for words, table in columns for index, word in enumerate(words)}


def sample_heads(template: np.ndarray, morphs: Morphs, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw heads.

    Args:
        template: (N0, 3) mm, the base mesh's control vertices.
        morphs: the displacements.
        count: how many heads.
        rng: random state.

    Returns:
        (count, N0, 3) float32, mm.
    """
    words = _phenotypes(rng, count)
    coefficients = [np.prod([words[word] for word in labels], axis=0) for labels in morphs.macro_labels]
    directions = [*morphs.macro]
    for morph in morphs.local:
        shared = rng.normal(0, morph.scale, count)
        for positive, negative in morph.sides:
            own = rng.normal(0, 0.05, count) * (morph.scale / 0.20) if len(morph.sides) > 1 else 0.0
            value = np.clip(shared + own, -1, 1)
            coefficients += [np.maximum(value, 0), np.maximum(-value, 0)]
            directions += [positive, negative]
    for shape in morphs.head_shapes:
        chosen = rng.random(count) < 0.2
        coefficients.append(np.where(chosen, np.abs(rng.normal(0, 0.5, count)), 0.0))
        directions.append(shape)
    for left, right in morphs.asymmetries:
        value = rng.normal(0, 0.10, count)
        coefficients += [np.maximum(value, 0), np.maximum(-value, 0)]
        directions += [left, right]
    table = np.stack(coefficients, axis=1).astype(np.float32)
    basis = np.stack(directions).reshape(len(directions), -1).astype(np.float32)
    heads = table @ basis + template.ravel().astype(np.float32)
    return heads.reshape(count, *template.shape)
