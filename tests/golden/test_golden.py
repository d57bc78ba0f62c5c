"""The project's own golden set: the numbers of today are those that are recorded (`tests/golden/README.md`)."""

import json

import numpy as np
import pytest
from golden_scores import FOLDER, PARTS, SCORES, Numbers, differences, read_inputs


@pytest.fixture(scope="module")
def recorded() -> dict[str, Numbers]:
    return json.loads((FOLDER / "numbers.json").read_text())


@pytest.mark.parametrize("part", PARTS)
def test_numbers_are_those_recorded(part, recorded) -> None:
    assert differences(recorded[part], SCORES[part](read_inputs(part)), part) == []


def test_a_tenth_of_a_millimetre_is_told(recorded) -> None:
    inputs = read_inputs("now")
    one = {name: value for name, value in inputs.items() if name.startswith(("faces", "scan_1", "1/mean_face"))}
    moved = one["1/mean_face/verts"].astype(np.float64)
    nose = np.linalg.norm(moved - moved[moved[:, 2].argmax()], axis=1) < 20
    moved[nose, 2] += 0.1
    expected = {"1/mean_face": recorded["now"]["1/mean_face"]}
    found = SCORES["now"](one | {"1/mean_face/verts": moved.astype(np.float32)})
    told = differences(expected, found, "now")
    assert any("mean_mm" in line for line in told)
    assert not any("kept" in line for line in told)


def test_counts_are_exact_and_gaps_are_told() -> None:
    assert differences({"a": {"n": 5}}, {"a": {"n": 6}}, "now") == ["now: a: n: recorded 5, found 6"]
    assert differences({"a": {"n": 5}}, {}, "now") == ["now: a: recorded or found only"]
    assert differences({"a": {"x": [1.0]}}, {"a": {}}, "now") == ["now: a: x: recorded [1.0], found None"]


def test_the_set_is_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir() if path.is_file()) < 1.5e6
