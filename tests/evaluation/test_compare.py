"""Methods compared on the same images: the scores of the benchmarks, paired intervals, tables that programs read."""

import csv
import json
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from mgc_lightning.cli import main
from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.compare import Method, compare_methods, read_method, write_comparison
from mgc_lightning.evaluation.compare.methods import on_common_images
from mgc_lightning.evaluation.compare.statistics import compare
from mgc_lightning.evaluation.now import results as now_results
from mgc_lightning.evaluation.realy import results as realy_results
from mgc_lightning.metrics.now import scores as now_scores
from mgc_lightning.metrics.realy import scores as realy_scores

PEOPLE = 25


def now_method(name, shift=0.0, seed=0):
    """Give two images a person; persons differ more than images of one do."""
    rng = np.random.default_rng(7)
    noise = np.random.default_rng(seed)
    images, errors = [], []
    for person in range(PEOPLE):
        level = rng.uniform(1, 3)
        for number in range(2):
            images.append(f"p{person:02d}/selfie/{number}.jpg")
            errors.append(np.abs(rng.normal(level, 0.3, 200)) + shift + noise.normal(0, 0.01))
    return Method(name, "now", tuple(images), tuple(errors))


def write_now(folder, method):
    found = [now_scores.ScoredPrediction(*pair) for pair in zip(method.images, method.errors, strict=True)]
    output = folder / f"{method.name}.json"
    now_results.write_results(now_results.NoWFolder(output), now_scores.NoWScores(found), [], list(method.images))
    return output


def write_realy(folder, name, errors):
    found = [realy_scores.ScoredPrediction(str(n), row) for n, row in enumerate(errors, start=1)]
    output = folder / f"{name}.json"
    realy_results.write_results(realy_results.REALYFolder(output), realy_scores.REALYScores(found), [])
    return output


def test_now_scores_are_the_benchmarks_and_differences_are_paired():
    first, second = now_method("first"), now_method("second", shift=-0.05, seed=1)
    comparison = compare([first, second])
    assert comparison == compare([first, second])  # the same seed
    for row, method in zip(comparison.rows, (first, second), strict=True):
        pooled = np.concatenate(method.errors)
        values = [row.scores[name].value for name in ("median", "mean", "std")]
        np.testing.assert_allclose(values, [np.median(pooled), pooled.mean(), pooled.std()], rtol=1e-9)
        assert row.scores["median"].low < np.median(pooled) < row.scores["median"].high
    row = comparison.rows[1]
    # .05 mm against persons that differ by a millimetre: only pairs show it.
    spread = row.scores["mean"].high - row.scores["mean"].low
    assert spread > 0.3
    assert row.difference.value == pytest.approx(-0.05, abs=0.02)
    assert -0.1 < row.difference.low < row.difference.high < 0
    assert row.verdict == "better"
    assert row.better_on > 0.9
    assert compare([second, first]).rows[1].verdict == "worse"
    assert compare([first, now_method("again", seed=0)]).rows[1].verdict == "no difference shown"


def test_intervals_have_the_width_of_the_mean_of_people():
    rng = np.random.default_rng(0)
    errors = rng.normal(2, 0.5, (200, 1)) + np.zeros((1, 4))
    images = tuple(str(n) for n in range(1, 201))
    methods = [Method(name, "realy", images, tuple(errors)) for name in ("a", "b")]
    found = compare(methods).rows[0].scores["all"]
    assert found.high - found.low == pytest.approx(2 * 1.96 * 0.5 / np.sqrt(200), rel=0.12)


def test_realy_scores_and_files(tmp_path, capsys):
    rng = np.random.default_rng(1)
    errors = rng.uniform(1, 2, (12, 4)).round(4)
    better = errors - np.array([0.3, 0, 0, 0])
    files = [write_realy(tmp_path, "mean_face", errors), write_realy(tmp_path, "mine_v2", better)]
    comparison = compare_methods(files)
    assert comparison.rows[0].scores["nose"].value == pytest.approx(errors[:, 0].mean())
    assert comparison.rows[1].difference.value == pytest.approx(-0.075)
    written = write_comparison(comparison, tmp_path / "out")
    names = ["json", "csv", "tex", "md"]
    assert [path.name for path in written] == [f"comparison.{n}" for n in names] + [
        f"curves.{n}" for n in ("pdf", "svg", "png")
    ]
    rows = list(csv.DictReader((tmp_path / "out" / "comparison.csv").open()))
    assert [row["method"] for row in rows] == ["mean_face", "mine_v2"]
    assert float(rows[1]["difference"]) == pytest.approx(-0.075)
    assert "mine\\_v2 &" in (tmp_path / "out" / "comparison.tex").read_text()
    assert "| mine_v2 |" in (tmp_path / "out" / "comparison.md").read_text()
    assert (tmp_path / "out" / "curves.pdf").read_bytes().startswith(b"%PDF")
    ElementTree.parse(tmp_path / "out" / "curves.svg")
    with pytest.raises(SystemExit) as stopped:
        main(["benchmark", "compare", *map(str, files), "--output", str(tmp_path / "again"), "--json"])
    assert not stopped.value.code
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "again" / "comparison.json").read_text())
    assert printed["methods"][1]["verdict"] == "better"
    for name in ("curves.pdf", "curves.svg", "comparison.tex"):  # nothing of the day in them
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def test_now_files(tmp_path):
    one, other = now_method("one"), now_method("other", -0.1)
    files = [write_now(tmp_path, one), write_now(tmp_path, other)]
    found = read_method(files[0])
    assert found.images == one.images
    assert all(map(np.array_equal, found.errors, one.errors))
    assert compare_methods(files).rows[1].difference.value == pytest.approx(-0.1, abs=1e-2)
    (tmp_path / "other" / "other_computed_distances.npy").unlink()
    with pytest.raises(MGCError, match="expected one file"):
        read_method(files[1])
    (tmp_path / "wrong.json").write_text("[]")
    with pytest.raises(MGCError, match="expected the results of"):
        read_method(tmp_path / "wrong.json")


def test_what_cannot_be_compared():
    one, other = now_method("one"), now_method("other")
    fewer = other.on(other.images[3:])
    with pytest.raises(MGCError, match=r"3 images are not of all methods: other lacks p00/selfie/0\.jpg"):
        on_common_images([one, fewer], common=False)
    chosen, left_out = on_common_images([one, fewer], common=True)
    assert [method.images for method in chosen] == [fewer.images, fewer.images]
    assert left_out == list(one.images[:3])
    with pytest.raises(MGCError, match="two or more"):
        on_common_images([one], common=False)
    with pytest.raises(MGCError, match="same name"):
        on_common_images([one, one], common=False)
    realy = Method("realy", "realy", ("1",), (np.ones(4),))
    with pytest.raises(MGCError, match="scored by now, realy by realy"):
        on_common_images([one, realy], common=False)
    cut = Method("cut", "now", one.images, tuple(errors[1:] for errors in one.errors))
    with pytest.raises(MGCError, match="different scans"):
        on_common_images([one, cut], common=False)
