"""REALY's files: official layouts in, clear messages for what is wrong."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.realy.dataset import REALYDataset, REALYImage
from mgc_lightning.evaluation.realy.predictions import (
    REALYPrediction,
    list_predictions,
    read_prediction,
    write_prediction,
)
from mgc_lightning.evaluation.realy.topology import (
    inner_parts,
    load_topology,
    read_mask,
    read_topology,
    topology_of,
)
from mgc_lightning.face_models import load_face_model
from mgc_lightning.files.mesh import read_mesh, write_mesh
from mgc_lightning.geometry.closest_points import barycentric_weights
from mgc_lightning.metrics.realy.placement import place_keypoints, ray_distances


@pytest.fixture
def own_set(realy_set: Path, tmp_path: Path) -> Path:
    """Copy the data set, to spoil it."""
    return Path(shutil.copytree(realy_set, tmp_path / "set"))


def write_template(folder: Path, faces: str, keypoints: object) -> Path:
    points = "".join(f"v {x} {y} 0\n" for x in range(3) for y in range(3))
    (folder / "T.obj").write_text(points + faces)
    (folder / "T.txt").write_text(keypoints if isinstance(keypoints, str) else json.dumps(keypoints))
    return folder / "T.obj"


def test_template_splits_quads_in_place(tmp_path: Path) -> None:
    keypoints = [[2, 0.25, 0.5]] * 84 + [[0, 1, 0]]
    topology = read_topology(write_template(tmp_path, "f 1/1 4/2 5/3 2/4\nf 2 5 6\n", keypoints))
    np.testing.assert_array_equal(topology.faces, [[0, 3, 4], [0, 4, 1], [1, 4, 5]])
    verts = np.arange(27.0).reshape(9, 3)
    np.testing.assert_allclose(topology.keypoints(verts)[0], 0.25 * verts[1] + 0.5 * verts[4] + 0.25 * verts[5])
    np.testing.assert_allclose(topology.keypoints(verts)[84], verts[0])


@pytest.mark.parametrize(
    ("faces", "keypoints", "message"),
    [
        ("f 1 2 4\n", [[0, 1, 0]] * 84, "expected 85 keypoints"),
        ("f 1 2 4\n", [[1, 1, 0]] * 85, "lies on triangle 1"),
        ("f 1 2 4\n", "no json", "one JSON list"),
        ("f 1 4 7 8 5\n", [[0, 1, 0]] * 85, "larger polygon"),
    ],
)
def test_bad_templates(tmp_path: Path, faces: str, keypoints: object, message: str) -> None:
    with pytest.raises(MGCError, match=message):
        read_topology(write_template(tmp_path, faces, keypoints))


def test_template_without_keypoints_and_unknown_names(tmp_path: Path) -> None:
    path = write_template(tmp_path, "f 1 2 4\n", [])
    path.with_suffix(".txt").unlink()
    with pytest.raises(MGCError, match=r"T\.txt: no such file"):
        load_topology(path)
    with pytest.raises(MGCError, match="makehuman, makehuman-1, ict"):
        load_topology("HIFI3D++")


@pytest.mark.parametrize("level", [0, 1])
def test_shipped_keypoints_are_the_placed_ones(level: int) -> None:
    model = load_face_model("makehuman", level)
    mean = model.mean.double().numpy()
    landmarks = model.landmarks68(model.mean.double()).numpy()
    topology = topology_of(model)
    triangles, weights = place_keypoints(mean, model.faces.numpy(), landmarks, ~inner_parts(model))
    placed = (mean[triangles] * weights[:, :, None]).sum(axis=1)
    keypoints = topology.keypoints(mean)
    np.testing.assert_allclose(keypoints, placed, atol=1e-3)
    np.testing.assert_allclose(topology.weights.sum(axis=1), 1.0)
    assert topology.weights.min() >= 0
    # Landmarks keep their place in the picture; those of the eyes lie on the visible lid, or come forward to it.
    np.testing.assert_allclose(keypoints[:68, :2], landmarks[:, :2], atol=0.6)
    assert (keypoints[36:48, 2] >= landmarks[36:48, 2] - 0.05).all()


def test_extra_keypoints_are_where_their_names_say() -> None:
    model = load_face_model("makehuman")
    points = topology_of(model).keypoints(model.mean.double().numpy())
    for right, left in ((68, 69), (70, 71), (72, 73), (74, 75), (76, 77), (78, 80), (81, 82), (83, 84)):
        assert points[right, 0] < 0 < points[left, 0]
        np.testing.assert_allclose(points[right] * [-1, 1, 1], points[left], atol=2.0)
    assert points[39, 1] > points[70, 1] > points[31, 1]
    assert abs(points[70, 0]) > abs(points[31, 0])
    assert points[57, 1] > points[79, 1] > points[8, 1]
    assert abs(points[79, 0]) < 1.0
    assert points[8, 1] < points[76, 1] < points[41, 1]


def test_ict_keypoints_are_symmetric_by_index_and_on_the_face() -> None:
    from mgc_lightning.evaluation.realy.topology import KEYPOINT_DATA

    rows = np.array(json.loads((KEYPOINT_DATA / "ict.json").read_text())["keypoints"])
    assert rows.shape == (85, 6)
    assert rows[:, :3].max() < 9409
    np.testing.assert_allclose(rows[:, 3:].sum(axis=1), 1.0, atol=1e-5)


def test_ict_mesh_takes_the_shipped_keypoints(tmp_path: Path) -> None:
    verts = np.random.default_rng(0).normal(size=(9409, 3))
    write_mesh(tmp_path / "face.obj", verts, np.arange(9408).reshape(-1, 3))
    topology = load_topology(f"ict:{tmp_path / 'face.obj'}")
    assert topology.keypoints(verts).shape == (85, 3)
    write_mesh(tmp_path / "small.obj", verts[:30], np.arange(30).reshape(-1, 3))
    with pytest.raises(MGCError, match="too few"):
        load_topology(f"ict:{tmp_path / 'small.obj'}")


def test_rays_and_weights() -> None:
    corners = np.array([[[0, 0, 2], [1, 0, 2], [0, 1, 2]], [[0, 0, 5], [1, 0, 5], [0, 1, 5.0]]])
    hit = ray_distances(np.array([0.2, 0.3, 0.0]), np.array([0.0, 0, 1]), corners)
    np.testing.assert_allclose(hit, [2, 5])
    assert np.isinf(ray_distances(np.array([0.8, 0.8, 0.0]), np.array([0.0, 0, 1]), corners)).all()
    np.testing.assert_allclose(barycentric_weights(np.array([[0.2, 0.3, 2.0]]), corners[:1]), [[0.5, 0.2, 0.3]])


def test_mask_file(tmp_path: Path) -> None:
    path = tmp_path / "mask.txt"
    path.write_text("1,0\n1 1")
    np.testing.assert_array_equal(read_mask(path, 4), [True, False, True, True])
    for text, message in (
        ("1 0", "expected 4 values"),
        ("1 0 2 1", "neither 0 nor 1"),
        ("a b", "0 or 1"),
        ("0 0 0 0", "no vertex"),
    ):
        path.write_text(text)
        with pytest.raises(MGCError, match=message):
            read_mask(path, 4)


def test_scan_reads_the_official_layout(realy_set: Path) -> None:
    dataset = REALYDataset(realy_set)
    assert dataset.subjects == [1, 2, 3]
    scan = dataset.scan(2)
    assert scan.keypoints.shape == (85, 3)
    assert scan.keypoints.dtype == np.float32
    assert set(scan.regions) == {"nose", "mouth", "forehead", "cheek"}
    assert 8 <= scan.scale <= 10


def test_bad_data_sets(own_set: Path, tmp_path: Path) -> None:
    keypoints = own_set / "REALY_HIFI3D_keypoints" / "1.obj"
    good = keypoints.read_text()
    keypoints.write_text("\n".join(good.splitlines()[:84]))
    with pytest.raises(MGCError, match="expected 85 keypoints, got 84"):
        REALYDataset(own_set).scan(1)
    mesh = read_mesh(own_set / "REALY_HIFI3D_keypoints" / "2.obj", require_faces=False)
    keypoints.write_text("".join("v {} {} {}\n".format(*(9.0 * point)) for point in mesh.verts))
    with pytest.raises(MGCError, match="model units"):
        REALYDataset(own_set).scan(1)
    keypoints.write_text(good.replace("v ", "v nan ", 1))
    with pytest.raises(MGCError, match="1.obj"):
        REALYDataset(own_set).scan(1)
    (own_set / "REALY_scan_region" / "2" / "nose.obj").write_text("this is a text, not a mesh\n")
    with pytest.raises(MGCError, match=r"nose\.obj"):
        REALYDataset(own_set).scan(2)
    (own_set / "REALY_scan_region" / "3" / "mouth.obj").unlink()
    with pytest.raises(MGCError, match=r"mouth\.obj: no such"):
        REALYDataset(own_set).scan(3)
    (own_set / "metrical_scale.txt").write_text("8.1\n")
    with pytest.raises(MGCError, match="no scale for subject 2"):
        REALYDataset(own_set).scan(2)
    with pytest.raises(MGCError, match="no such folder"):
        _ = REALYDataset(tmp_path).subjects


def test_predictions_in_the_official_order(tmp_path: Path) -> None:
    for name in ("10", "2_1", "9", "2", "1_10"):
        (tmp_path / f"{name}.obj").write_text("")
    (tmp_path / "notes.txt").write_text("")
    assert [item.name for item in list_predictions(tmp_path)] == ["2", "9", "10", "2_1", "1_10"]
    assert [item.name for item in list_predictions(tmp_path, "frontal")] == ["2", "9", "10"]
    assert [(item.name, item.image.subject) for item in list_predictions(tmp_path, "side")] == [
        ("2_1", 2),
        ("1_10", 1),
    ]
    (tmp_path / "mean.obj").write_text("")
    with pytest.raises(MGCError, match=r"mean\.obj: expected <subject>\.obj"):
        list_predictions(tmp_path)


def test_prediction_files(tmp_path: Path) -> None:
    model = load_face_model("makehuman")
    topology, verts, faces = topology_of(model), model.mean.numpy(), model.faces.numpy()
    path = tmp_path / "1.obj"
    prediction = REALYPrediction(REALYImage("1"), path)
    write_mesh(path, verts, faces, colors=np.full_like(verts, 0.5))
    found, found_faces = read_prediction(prediction, topology)
    np.testing.assert_array_equal(found, verts)
    np.testing.assert_array_equal(found_faces, faces)

    order = np.random.default_rng(0).permutation(len(verts))
    place = np.argsort(order)
    write_mesh(path, verts[order], place[faces])
    with pytest.raises(MGCError, match="another order"):
        read_prediction(prediction, topology)
    path.write_text("".join("v {} {} {}\n".format(*point) for point in verts[order]))
    with pytest.raises(MGCError, match="edges of topology 'makehuman' are long on it: its vertices are in another"):
        read_prediction(prediction, topology)  # registration would not end
    write_mesh(path, verts[:-1], faces[(faces < len(verts) - 1).all(axis=1)])
    with pytest.raises(MGCError, match="expected 4032 vertices"):
        read_prediction(prediction, topology)
    path.write_text("".join("v {} {} {}\n".format(*point) for point in verts))
    assert read_prediction(prediction, topology)[1] is None
    write_mesh(path, verts, faces[:3000])
    assert len(read_prediction(prediction, topology)[1]) == 3000
    for text in ("", "a letter to a friend\n", "v 1 2\n", "v 1 2 nan\n" * 4032):
        path.write_text(text)
        with pytest.raises(MGCError, match=r"1\.obj"):
            read_prediction(prediction, topology)


def test_no_face_is_taken_for_one_of_another_order() -> None:
    for level in (0, 1):
        model = load_face_model("makehuman", level)
        identity = 3 * torch.randn(4, model.layout.identity, generator=torch.Generator().manual_seed(0))
        for verts in model.shape(identity).numpy():
            topology_of(model).check(1e3 * verts)


def test_images_by_view(realy_set: Path, tmp_path: Path) -> None:
    dataset = REALYDataset(realy_set)
    assert [image.name for image in dataset.images("frontal")] == ["1", "2", "3"]
    assert [image.name for image in dataset.images("side")] == ["1_1", "2_1", "3_1"]
    elsewhere = REALYDataset(realy_set, photos=tmp_path / "nowhere")
    assert elsewhere.photo_files == {}
    with pytest.raises(MGCError, match="expected side images"):
        elsewhere.images("side")
    with pytest.raises(MGCError, match="no such file"):
        elsewhere.photo_file(REALYImage("1"))
    with pytest.raises(MGCError, match="numbers both"):
        REALYImage("1_")


def test_a_written_prediction_reads_back(tmp_path: Path) -> None:
    model = load_face_model("makehuman")
    write_prediction(tmp_path, REALYImage("2_1"), model.mean.numpy(), model.faces.numpy(), ".ply")
    found = list_predictions(tmp_path)
    assert [prediction.name for prediction in found] == ["2_1"]
    np.testing.assert_array_equal(read_prediction(found[0], topology_of(model))[0], model.mean.numpy())
