"""Triplets are neighbours in yaw of one capture; people never lie in two splits; nothing depends on the order."""

import itertools
import random

import pytest

from mgc_lightning.errors import MGCError
from mgc_lightning.triplets.grouping import Face, GroupingSettings, form_triplets, split_of
from mgc_lightning.triplets.order import WindowShuffle


def ring(identity: str, capture: str, yaws) -> list[Face]:
    return [Face(f"{identity}/{capture}/{yaw}", identity, capture, float(yaw)) for yaw in yaws]


def test_linked_triplets_are_neighbours_with_the_target_between():
    triplets = form_triplets(ring("anna", "a", [-60, -30, -28, 0, 30, 80]), GroupingSettings(val_share=0))
    linked = {tuple(int(view.yaw) for view in t.views) for t in triplets if t.link == 2}
    # 80 is too far from 30; -28 is too near to -30.
    assert linked == {(-30, -60, 0), (-28, -60, 0), (0, -28, 30)}


def test_captures_do_not_mix():
    faces = [face for n in range(3) for face in ring("anna", f"moment {n}", [20 * n])]
    (triplet,) = form_triplets(faces, GroupingSettings(val_share=0))
    assert triplet.link == 0
    assert [view.yaw for view in triplet.views] == [20, 0, 40]


def test_photographs_without_captures_are_not_linked():
    (triplet,) = form_triplets(ring("anna", "", [-20, 0, 20]), GroupingSettings(val_share=0))
    assert triplet.link == 0


def test_strangers_fill_up():
    faces = [Face(f"{n}.jpg", "", "", float(n)) for n in range(7)]
    triplets = form_triplets(faces, GroupingSettings(val_share=0))
    assert [t.link for t in triplets] == [0, 0]
    names = [view.name for t in triplets for view in t.views]
    assert len(set(names)) == 6
    assert not form_triplets(faces, GroupingSettings(val_share=0, strangers=False))


def test_who_is_who():
    """Samples of strangers say so; faces of unknown identity are equal to none, not even to each other."""
    faces = [Face(f"{n}.jpg", "", "", float(n)) for n in range(6)]
    settings = GroupingSettings(val_share=0)
    assert [t.persons for t in form_triplets(faces, settings)] == [[0, 1, 2], [0, 1, 2]]
    (one,) = form_triplets(ring("anna", "", [-20, 0, 20]), settings)
    assert one.persons == [0, 0, 0]
    two_of_one = [Face("a", "anna", "", 0.0), Face("b", "anna", "", 5.0), Face("c", "berta", "", 9.0)]
    (mixed,) = form_triplets(two_of_one, settings)
    assert {view.name: person for view, person in zip(mixed.views, mixed.persons, strict=True)} == {
        "b": 0, "a": 0, "c": 2}  # fmt: skip


def test_order_of_the_photographs_does_not_matter():
    faces = [face for person in "abcde" for face in ring(person, "x", range(-60, 61, 15))]
    settings = GroupingSettings(val_share=0.3)
    first = form_triplets(faces, settings)
    random.Random(0).shuffle(faces)
    assert form_triplets(faces, settings) == first
    assert form_triplets(faces, GroupingSettings(val_share=0.3, seed=1)) != first


def test_limits_and_splits():
    faces = [face for person in range(60) for face in ring(f"{person}", "x", range(-80, 81, 10))]
    triplets = form_triplets(faces, GroupingSettings(max_per_identity=4, val_share=0.25))
    people = {split: {v.identity for t in triplets if t.split == split for v in t.views} for split in ("train", "val")}
    assert not people["train"] & people["val"]
    assert 5 <= len(people["val"]) <= 25
    for person, group in itertools.groupby(sorted(triplets, key=lambda t: t.views[0].identity),
                                           key=lambda t: t.views[0].identity):  # fmt: skip
        assert len(list(group)) <= 4, person
    assert split_of("7", GroupingSettings(val_share=0.25)) == ("val" if "7" in people["val"] else "train")


def test_bad_settings():
    with pytest.raises(MGCError, match="min_step"):
        GroupingSettings(min_step=50)


@pytest.mark.parametrize("window", [1, 2, 16])
def test_every_pass_has_every_sample_once(window):
    counts = [5, 1, 7, 4]
    order = WindowShuffle(counts, window, seed=3)
    every = {(shard, number) for shard, count in enumerate(counts) for number in range(count)}
    passes = [[order(place) for place in range(turn * 17, turn * 17 + 17)] for turn in range(3)]
    assert all(set(found) == every for found in passes)
    assert passes[0] != passes[1]
    again = WindowShuffle(counts, window, seed=3)
    assert [again(place) for place in reversed(range(17, 34))] == passes[1][::-1]
    assert WindowShuffle(counts, window, seed=4)(0) != order(0) or WindowShuffle(counts, window, seed=4)(1) != order(1)
