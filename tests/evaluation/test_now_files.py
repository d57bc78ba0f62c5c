"""The official layouts: lists, landmarks, boxes, predictions, distances."""

import numpy as np
import pytest
from now_shapes import cap

from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.now.boxes import read_detected_box, write_detected_box
from mgc_lightning.evaluation.now.checks import check_predictions
from mgc_lightning.evaluation.now.dataset import NoWDataset, NoWImage, read_image_list, read_picked_points
from mgc_lightning.evaluation.now.predictions import (
    find_predictions,
    match_predictions,
    read_landmarks,
    read_prediction,
    write_prediction,
)
from mgc_lightning.evaluation.now.results import write_distances
from mgc_lightning.metrics.now.scores import NoWScores, ScoredPrediction

POINT = ' <point x="{0}" y="{1}" z="{2}" active="1" name="{3}"/>'


def picked_points(marks, **changes):
    head = ["<!DOCTYPE PickedPoints>", "<PickedPoints>", *([" <DocumentData>"] + ["  <User/>"] * 4), " </DocumentData>"]
    rows = [POINT.format(*row, 6 - i) for i, row in enumerate(marks)]
    return "\n".join([*head, *rows, "</PickedPoints>"])


@pytest.fixture
def folder(tmp_path):
    verts, faces, marks = cap(step=6.0)
    (tmp_path / "imagepathsvalidation.txt").write_text(
        "/any/where/A/selfie/1.jpg\nA/multiview_neutral/2.PNG\nB/selfie/3.jpg\n"
    )
    for subject in "AB":
        scan, points = tmp_path / "scans" / subject, tmp_path / "scans_lmks_onlypp" / subject
        scan.mkdir(parents=True)
        points.mkdir(parents=True)
        lines = [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in verts] + ["f 1/1 2/2 3/3"]
        (scan / f"{subject}.obj").write_text("\n".join(lines))
        (points / f"{subject}_picked_points.pp").write_text(picked_points(marks))
    return tmp_path


def test_image_list(folder):
    images = NoWDataset(folder).images()
    assert [image.name for image in images] == ["A/selfie/1.jpg", "A/multiview_neutral/2.PNG", "B/selfie/3.jpg"]
    assert str(images[1].stem) == "A/multiview_neutral/2"
    assert [image.name for image in NoWDataset(folder).images(challenge="selfie")] == [
        "A/selfie/1.jpg",
        "B/selfie/3.jpg",
    ]
    with pytest.raises(
        MGCError, match=r"no image of challenge 'multiview_occlusions'; it has multiview_neutral, selfie"
    ):
        NoWDataset(folder).images(challenge="multiview_occlusions")
    with pytest.raises(MGCError, match="Did you mean 'selfie'"):
        NoWDataset(folder).images(challenge="selfies")
    with pytest.raises(MGCError, match=r"imagepathstest\.txt: no such.*choose that split"):
        NoWDataset(folder).images("test")


@pytest.mark.parametrize("line", ["", "A/1.jpg", "A/selfie/1.jpeg", "A/selfie/", "A//1.jpg"])
def test_bad_image_lists(tmp_path, line):
    path = tmp_path / "imagepathsvalidation.txt"
    path.write_text(f"A/selfie/1.jpg\n{line}\nA/selfie/2.jpg\n")
    with pytest.raises(MGCError, match="line 2"):
        read_image_list(path)


def test_scan(folder):
    scan = NoWDataset(folder).scan("B")
    assert scan.landmarks.dtype == np.float32
    np.testing.assert_allclose(scan.landmarks, cap()[2], rtol=1e-6)
    assert len(scan.points) > 400
    with pytest.raises(MGCError, match=r"\*\.obj of subject C"):
        NoWDataset(folder).scan("C")


def test_picked_points_keep_the_order_of_the_file_and_ignore_names(tmp_path):
    path = tmp_path / "a.pp"
    marks = cap()[2]
    path.write_text(picked_points(marks))
    np.testing.assert_array_equal(read_picked_points(path), marks.astype(np.float32))
    swapped = '<point z="3" name="x" y="2" active="1" x="1.5"/>'
    path.write_text(picked_points(marks).replace(POINT.format(*marks[0], 6).strip(), swapped))
    assert read_picked_points(path)[0].tolist() == [1.5, 2, 3]


@pytest.mark.parametrize(
    "text", ["", "no points", picked_points(cap()[2][:6]), picked_points(cap()[2]).replace('x="', 'x="a')]
)
def test_bad_picked_points(tmp_path, text):
    path = tmp_path / "a.pp"
    path.write_text(text)
    with pytest.raises(MGCError, match=r"a\.pp"):
        read_picked_points(path)


def test_boxes(tmp_path):
    path = tmp_path / "1.npy"
    write_detected_box(path, [10.5, 20, 110, 150])
    assert read_detected_box(path).tolist() == [10.5, 20, 110, 150]
    np.save(path, {"left": np.float32(1), "top": 2, "right": np.int64(30), "bottom": 40.0}, allow_pickle=True)
    assert read_detected_box(path).tolist() == [1, 2, 30, 40]


class Evil:
    def __reduce__(self):
        return (print, ("run",))


@pytest.mark.parametrize(
    "content",
    [{"left": 1, "top": 2, "right": 3}, {"left": 9, "top": 2, "right": 3, "bottom": 4}, [1, 2, 3, 4], Evil()],
)
def test_bad_boxes(tmp_path, content):
    path = tmp_path / "1.npy"
    np.save(path, np.array(content, dtype=object), allow_pickle=True)
    with pytest.raises(MGCError, match=r"1\.npy"):
        read_detected_box(path)


def image(name="A/selfie/1.jpg"):
    return NoWImage(*name.split("/"), name)


@pytest.mark.parametrize("suffix", [".obj", ".ply"])
def test_predictions_come_back(tmp_path, suffix):
    verts, faces, marks = cap(step=20.0)
    write_prediction(tmp_path, image(), verts, faces, marks, suffix)
    found, missing = match_predictions(tmp_path, [image(), image("A/selfie/2.jpg")])
    assert missing == ["A/selfie/2.jpg"]
    v, f, m = read_prediction(found[0])
    np.testing.assert_array_equal(v.astype(np.float32), verts.astype(np.float32))
    np.testing.assert_array_equal(f, faces)
    np.testing.assert_array_equal(m, marks.astype(np.float32))
    assert v.dtype == np.float64


def test_obj_and_npy_come_first(tmp_path):
    verts, faces, marks = cap(step=20.0)
    write_prediction(tmp_path, image(), verts, faces, marks, ".ply")
    write_prediction(tmp_path, image(), verts + 1, faces, marks, ".obj")
    np.savetxt(tmp_path / "A/selfie/1.txt", marks + 1)
    found, _ = match_predictions(tmp_path, [image()])
    assert (found[0].mesh.suffix, found[0].landmarks.suffix) == (".obj", ".npy")


def test_landmark_files(tmp_path):
    marks = cap()[2]
    np.save(tmp_path / "a.npy", marks[None])
    assert read_landmarks(tmp_path / "a.npy").dtype == np.float64
    np.savetxt(tmp_path / "a.txt", marks, fmt="%.9g")
    assert read_landmarks(tmp_path / "a.txt").dtype == np.float32
    for content in (marks[:5], np.full((7, 3), np.nan), np.zeros(3), np.array("seven")):
        np.save(tmp_path / "b.npy", content)
        with pytest.raises(MGCError, match=r"b\.npy"):
            read_landmarks(tmp_path / "b.npy")
    for text in ("", "1 2 3\n", "one two three\n" * 7, "1 2 3 4\n" * 7):
        (tmp_path / "b.txt").write_text(text)
        with pytest.raises(MGCError, match=r"b\.txt"):
            read_landmarks(tmp_path / "b.txt")


def test_checks(folder, tmp_path):
    verts, faces, marks = cap(step=20.0)
    dataset = NoWDataset(folder)
    out = tmp_path / "predictions"
    swapped = marks[[3, 2, 1, 0, 4, 6, 5]]
    for item, points in zip(dataset.images(), (marks, swapped, swapped), strict=True):
        write_prediction(out, item, verts, faces, points)
    found, _ = find_predictions(out, dataset)
    assert [line.split(":")[0] for line in check_predictions(dataset, found, "mm")] == [
        "A/multiview_neutral/2.PNG",
        "B/selfie/3.jpg",
    ]
    with pytest.raises(MGCError, match="looks like mm"):
        check_predictions(dataset, found, "m")


def test_distances_file(tmp_path):
    scores = NoWScores(
        [ScoredPrediction("A/selfie/1.jpg", np.arange(3.0), False), ScoredPrediction("A/b/2.jpg", np.ones(2), False)]
    )
    path = tmp_path / "x_computed_distances.npy"
    write_distances(path, scores, 4, ["A/selfie/1.jpg", "A/b/2.jpg"])
    official = np.load(path, allow_pickle=True).item()
    assert set(official) == {"computed_distances", "num_missing_files", "input_files"}
    assert official["num_missing_files"] == 4
    assert [part.tolist() for part in official["computed_distances"]] == [[0, 1, 2], [1, 1]]
    assert official["input_files"].tolist() == ["A/selfie/1.jpg", "A/b/2.jpg"]
