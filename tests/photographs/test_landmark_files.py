"""Landmarks are read from every usual file, in the project's pixel convention."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mgc_lightning.errors import MGCError
from mgc_lightning.photographs.landmark_files import find_landmarks, read_landmarks

POINTS = np.arange(10, dtype=np.float64).reshape(5, 2) * 1.5


@pytest.mark.parametrize("count", [5, 68])
@pytest.mark.parametrize("columns", [2, 3])
def test_npy(tmp_path, count, columns):
    points = np.random.default_rng(0).normal(size=(count, columns))
    np.save(tmp_path / "a.npy", points)
    np.testing.assert_allclose(read_landmarks(tmp_path / "a.npy"), points[:, :2], rtol=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(f"{x} {y}" for x, y in POINTS),
        "# mine\n5\n" + "\r\n".join(f"{x},{y},0" for x, y in POINTS) + "\r\n\r\n",
        "\n".join(f"  {x}\t{y}; 9" for x, y in POINTS),
    ],
)
def test_text(tmp_path, text):
    (tmp_path / "a.txt").write_text(text)
    np.testing.assert_allclose(read_landmarks(tmp_path / "a.txt"), POINTS)


def test_pts_counts_from_one(tmp_path):
    lines = "\n".join(f"{x} {y}" for x, y in POINTS)
    (tmp_path / "a.pts").write_text(f"version: 1\nn_points: 5\n{{\n{lines}\n}}\n")
    np.testing.assert_allclose(read_landmarks(tmp_path / "a.pts"), POINTS - 0.5)
    (tmp_path / "b.pts").write_text(lines)
    with pytest.raises(MGCError, match="between braces"):
        read_landmarks(tmp_path / "b.pts")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "expected 5 or 68|differ in length"),
        ("1 2\n3 4\n", r"expected 5 or 68 points .* \(2, 2\)"),
        ("1 2\n" * 4 + "1 2 3\n", "differ in length"),
        ("1 2\n" * 4 + "x y\n", "could not be read"),
        ("1 2\n" * 4 + "nan 3\n", "not finite"),
    ],
)
def test_bad_text(tmp_path, content, message):
    (tmp_path / "a.txt").write_text(content)
    with pytest.raises(MGCError, match=message):
        read_landmarks(tmp_path / "a.txt")


def test_bad_files(tmp_path):
    with pytest.raises(MGCError, match="no such landmark file"):
        read_landmarks(tmp_path / "a.txt")
    (tmp_path / "a.csv").write_text("")
    with pytest.raises(MGCError, match=r"got '\.csv'"):
        read_landmarks(tmp_path / "a.csv")
    np.save(tmp_path / "a.npy", np.array([{"x": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(MGCError, match="could not be read|holds objects"):
        read_landmarks(tmp_path / "a.npy")


def test_a_folder_holds_a_file_a_photograph(tmp_path):
    (tmp_path / "x.pts").touch()
    assert find_landmarks(tmp_path, Path("photos/x.jpg"), 2) == tmp_path / "x.pts"
    with pytest.raises(MGCError, match="no landmarks for y"):
        find_landmarks(tmp_path, Path("y.jpg"), 2)
    with pytest.raises(MGCError, match="give a folder"):
        find_landmarks(tmp_path / "x.pts", Path("x.jpg"), 2)


def test_result_is_float32(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((5, 2), np.int64))
    assert read_landmarks(tmp_path / "a.npy").dtype == torch.float32
