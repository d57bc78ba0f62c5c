"""Which three photographs make a sample: neighbours in yaw of one capture, else one person, else anybody."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from mgc_lightning.arguments.checked import Checked
from mgc_lightning.arguments.types import Count, Degrees, Share, Whole
from mgc_lightning.errors import MGCError

Split = Literal["train", "val"]
"""Parts of a set; nobody is in both."""


class Face(NamedTuple):
    """Say what grouping needs of a face.

    Attributes:
        name: of the photograph.
        identity: who; empty if unknown.
        capture: moment and light; empty for its own.
        yaw: degrees.
        place: where its crop is kept: chunk and index.
    """

    name: str
    identity: str
    capture: str
    yaw: float
    place: tuple[int, int] = (0, 0)


class Triplet(NamedTuple):
    """Name the views of a sample, the target first, then the source turned less and the one turned more.

    Attributes:
        views: target and sources.
        link: 2 for views of one moment and light, else 0.
        split: the part of the set.
    """

    views: tuple[Face, ...]
    link: int
    split: Split

    @property
    def persons(self) -> list[int]:
        """For each view the first one that shows the same person; faces of unknown identity are equal to none."""
        names = [view.identity or f"?{place}" for place, view in enumerate(self.views)]
        return [names.index(name) for name in names]


@dataclass(frozen=True)
class GroupingSettings(Checked):
    """Set how triplets are formed.

    Attributes:
        min_step: smallest yaw in degrees between neighbours of a linked triplet: less carries no parallax.
        max_step: largest: beyond it too little is seen by both (MGCNet: neighbouring yaws with proper overlap).
        max_per_identity: most triplets of one identity.
        strangers: form samples of three different people (link 0) of what is left, as MGCNet did with LS3D-W.
        val_share: share of identities that are kept for validation.
        seed: of the split and the order.
    """

    min_step: Degrees = 8.0
    max_step: Degrees = 45.0
    max_per_identity: Count = 1000
    strangers: bool = True
    val_share: Share = 0.02
    seed: Whole = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.min_step < self.max_step or self.val_share == 1:
            raise MGCError(
                "Expected 0 <= `min_step` < `max_step` and `val_share` < 1; got "
                f"{self.min_step}, {self.max_step} and {self.val_share}"
            )


def form_triplets(faces: Iterable[Face], settings: GroupingSettings) -> list[Triplet]:
    """Form triplets, in a random order that depends on the seed and the names alone.

    Linked ones first: in each capture, every face that has a neighbour in yaw on both sides. Faces that no linked
    triplet uses meet others of their identity (link 0), each once; the rest meet strangers of the same split.

    Example:
        >>> views = [Face(f"anna/{yaw}", "anna", "monday", float(yaw)) for yaw in (-40, -20, 0, 20, 40)]
        >>> triplets = form_triplets(views, GroupingSettings(val_share=0.0))
        >>> sorted((triplet.views[0].name, triplet.link) for triplet in triplets)
        [('anna/-20', 2), ('anna/0', 2), ('anna/20', 2)]
    """
    people: dict[str, list[Face]] = defaultdict(list)
    for face in faces:
        people[face.identity or f"?{face.name}"].append(face)
    triplets: list[Triplet] = []
    alone: dict[Split, list[Face]] = defaultdict(list)
    for identity in sorted(people):
        split = split_of(identity, settings)
        found, left = _of_identity(people[identity], split, settings)
        triplets += found
        if not found:
            alone[split] += left
    if settings.strangers:
        for split in sorted(alone):
            triplets += [Triplet(views, 0, split) for views in _threes(alone[split], settings.seed)]
    return sorted(triplets, key=lambda t: _rank("order", *(view.name for view in t.views), seed=settings.seed))


def split_of(identity: str, settings: GroupingSettings) -> Split:
    """Give the split of an identity: by a hash, so that adding people moves nobody.

    Example:
        >>> settings = GroupingSettings(val_share=0.5)
        >>> [split_of(name, settings) for name in ("anna", "ben", "carla", "dan")]
        ['train', 'train', 'val', 'train']
    """
    return "val" if _rank("split", identity, seed=settings.seed) < settings.val_share * 2**64 else "train"


def _of_identity(faces: list[Face], split: Split, settings: GroupingSettings) -> tuple[list[Triplet], list[Face]]:
    captures: dict[str, list[Face]] = defaultdict(list)
    for face in faces:
        captures[face.capture].append(face)
    linked: list[Triplet] = []
    for capture in sorted(captures):
        if capture:
            linked += [Triplet(v, 2, split) for v in neighbours_in_yaw(captures[capture], settings)]
    linked = _evenly(linked, settings.max_per_identity)
    used = {view.name for triplet in linked for view in triplet.views}
    left = [face for face in faces if face.name not in used]
    threes = list(_threes(left, settings.seed))
    room = settings.max_per_identity - len(linked)
    triplets = linked + [Triplet(views, 0, split) for views in threes[:room]]
    taken = {view.name for triplet in triplets for view in triplet.views}
    return triplets, [face for face in left if face.name not in taken]


def neighbours_in_yaw(faces: Sequence[Face], settings: GroupingSettings) -> Iterator[tuple[Face, Face, Face]]:
    """Give (target, source to one side, source to the other) for each face with a neighbour on both sides.

    Example:
        >>> faces = [Face(str(yaw), "anna", "monday", float(yaw)) for yaw in (-30, 0, 4, 30)]
        >>> [[face.yaw for face in views] for views in neighbours_in_yaw(faces, GroupingSettings())]
        [[0.0, -30.0, 30.0], [4.0, -30.0, 30.0]]
    """
    ordered = sorted(faces, key=lambda face: (face.yaw, face.name))
    for place, target in enumerate(ordered):
        before = _neighbour(reversed(ordered[:place]), target, settings)
        after = _neighbour(ordered[place + 1 :], target, settings)
        if before is not None and after is not None:
            yield target, before, after


def _neighbour(candidates: Iterable[Face], target: Face, settings: GroupingSettings) -> Face | None:
    for face in candidates:
        step = abs(face.yaw - target.yaw)
        if step > settings.max_step:
            return None
        if step >= settings.min_step:
            return face
    return None


def _threes(faces: list[Face], seed: int) -> Iterator[tuple[Face, Face, Face]]:
    """Deal faces into threes by chance, the middle yaw as the target."""
    dealt = sorted(faces, key=lambda face: _rank("deal", face.name, seed=seed))
    for start in range(0, len(dealt) - 2, 3):
        low, middle, high = sorted(dealt[start : start + 3], key=lambda face: (face.yaw, face.name))
        yield middle, low, high


def _evenly(triplets: list[Triplet], number: int) -> list[Triplet]:
    if len(triplets) <= number:
        return triplets
    return [triplets[i * len(triplets) // number] for i in range(number)]


def _rank(*words: str, seed: int) -> int:
    text = "\0".join((str(seed), *words)).encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")
