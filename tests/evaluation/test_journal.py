"""What a run has finished survives that run, and belongs to its inputs."""

import os
from dataclasses import dataclass

import numpy as np
import pytest

from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.benchmark import score_predictions
from mgc_lightning.evaluation.journal import Journal, decode_array, encode_array, resume_key
from mgc_lightning.evaluation.parallel import in_parallel


@dataclass(frozen=True)
class Result:
    name: str
    value: float


def journal(tmp_path):
    return Journal(
        tmp_path / "a" / "finished.jsonl",
        encode=lambda result: {"value": result.value},
        decode=lambda name, row: Result(name, row["value"]),
    )


def always(key):
    return lambda name: key


def test_results_come_back_by_name_and_key(tmp_path):
    kept = journal(tmp_path)
    assert kept.read(always("k")) == {}
    kept.add(Result("1", 0.1), "k")
    kept.add(Result("2", 1 / 3), "other")
    kept.add(Result("2", 2 / 3), "k")
    assert kept.read(always("k")) == {"1": Result("1", 0.1), "2": Result("2", 2 / 3)}
    assert kept.read(lambda name: "k" if name == "1" else None) == {"1": Result("1", 0.1)}
    kept.forget()
    assert kept.read(always("k")) == {}
    kept.forget()


@pytest.mark.parametrize(
    "torn", [b'{"name": "2", "key": "k", "va', b"{", b"\0\0\0", b'["list"]', b'{"name": "2"}', b"\xff\xfe"]
)
def test_a_torn_line_costs_itself_alone(tmp_path, torn):
    kept = journal(tmp_path)
    kept.add(Result("1", 1.0), "k")
    with kept.path.open("ab") as file:
        file.write(torn)
    assert kept.read(always("k")) == {"1": Result("1", 1.0)}
    # The next run writes on, and the one after it reads both.
    kept.add(Result("3", 3.0), "k")
    assert kept.read(always("k")) == {"1": Result("1", 1.0), "3": Result("3", 3.0)}


def test_keys_follow_contents_and_protocol(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("abc")
    two.write_text("def")
    key = resume_key(("NoW", 1, None), [one, two])
    copy = tmp_path / "copy"
    copy.write_text("abc")
    assert resume_key(("NoW", 1, None), [copy, two]) == key
    assert resume_key(("NoW", 1, "mm"), [one, two]) != key
    assert resume_key(("NoW", 1, None), [two, one]) != key
    before = one.stat()
    one.write_text("abd")
    os.utime(one, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert resume_key(("NoW", 1, None), [one, two]) != key
    with pytest.raises(MGCError, match="gone: no such file"):
        resume_key(1, [tmp_path / "gone"])


def test_arrays_come_back_bit_for_bit():
    array = np.random.default_rng(0).normal(size=1000)
    np.testing.assert_array_equal(decode_array(encode_array(array)), array)
    with pytest.raises(ValueError, match="."):
        decode_array("not base64!")


def double(item):
    return Result(item.name, 2 * item.value)


def key_of(item):
    return f"key of {item.value}"


def test_a_run_scores_what_is_not_finished(tmp_path):
    items = [Result(str(i), float(i)) for i in range(4)]
    kept = journal(tmp_path)
    kept.add(Result("1", -1.0), "key of 1.0")
    kept.add(Result("2", -2.0), "key of another input")
    kept.add(Result("9", -9.0), "not asked for")
    found = list(score_predictions(items, double, key_of, kept))
    assert [result.name for result in found] == ["1", "0", "2", "3"]
    assert {result.name: result.value for result in found} == {"0": 0.0, "1": -1.0, "2": 4.0, "3": 6.0}
    assert len(list(score_predictions(items, double, key_of, kept))) == 4


def work(item):
    if item == "kill":
        os._exit(9)
    if item == "raise":
        raise MGCError("bad item")
    return item


def test_processes_give_all_results_and_errors():
    assert sorted(in_parallel(work, "abcd", 2)) == list("abcd")
    with pytest.raises(MGCError, match="bad item"):
        list(in_parallel(work, ["raise", "a"], 2))
    with pytest.raises(MGCError, match="was killed"):
        list(in_parallel(work, ["a", "kill"], 2))
