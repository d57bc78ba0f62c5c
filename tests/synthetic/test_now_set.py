"""Synthetic NoW data: the official layout, reproducible, and with an order that is known."""

import numpy as np
import pytest

from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.now.benchmark import Protocol, score_prediction
from mgc_lightning.evaluation.now.dataset import NoWDataset
from mgc_lightning.evaluation.now.predictions import find_predictions
from mgc_lightning.face_models import load_face_model
from mgc_lightning.metrics.now import CHALLENGES, NoWScores
from mgc_lightning.photographs.photos import read_photo
from mgc_lightning.synthetic.now_set import NoWSetSettings, write_now_set
from mgc_lightning.synthetic.scanner import ScannerSettings, scan_head
from mgc_lightning.synthetic.set_files import GROUND_TRUTH, MEAN_FACE


def score(dataset, folder):
    found, missing = find_predictions(folder, dataset)
    assert not missing
    return NoWScores([score_prediction(item, dataset, Protocol()) for item in found])


def test_layout(now_set):
    dataset = NoWDataset(now_set)
    images = dataset.images()
    assert len(images) == 8
    assert {image.challenge for image in images} == set(CHALLENGES)
    for image in images:
        photo, box = read_photo(dataset.photo_file(image)), dataset.box(image)
        assert photo.shape == (3, 96, 96)
        assert (box[2:] - box[:2] > 15).all()
        assert (box[:2] > -10).all()
        assert (box[2:] < 106).all()
    scan = dataset.scan(images[0].subject)
    assert 80 < scan.radius < 120
    readme = (now_set / "README.txt").read_text()
    assert "Seed: 0" in readme
    assert "CC0" in readme
    assert (now_set / "scans_lmks_onlypp/SYNTH_0001").is_dir()
    # The official evaluator reads the points from lines 9 to 15.
    lines = next((now_set / "scans_lmks_onlypp/SYNTH_0001").glob("*.pp")).read_text().splitlines()
    assert all(line.split(" ")[1] == "<point" for line in lines[8:15])


def test_truth_is_at_the_noise_floor_and_far_from_the_mean_face(now_set):
    dataset = NoWDataset(now_set)
    truth = score(dataset, now_set / "predictions" / GROUND_TRUTH)
    mean = score(dataset, now_set / "predictions" / MEAN_FACE)
    for one, other in zip(truth.predictions, mean.predictions, strict=True):
        assert one.error.median < 0.1
        assert one.error.median < other.error.median / 3
    assert not truth.reflected


def test_the_same_seed_gives_the_same_set(now_set, tmp_path):
    settings = NoWSetSettings(subjects=1, images=1, image_size=96, scanner=ScannerSettings(spacing=3.0))
    write_now_set(tmp_path / "again", load_face_model(), settings)
    for path in ("scans/SYNTH_0001/SYNTH_0001.obj", "scans_lmks_onlypp/SYNTH_0001/SYNTH_0001_picked_points.pp"):
        assert (tmp_path / "again" / path).read_bytes() == (now_set / path).read_bytes()
    with pytest.raises(MGCError, match="not empty"):
        write_now_set(tmp_path / "again", load_face_model(), settings)


def test_scan_lies_on_the_surface():
    face_model = load_face_model()
    quiet = ScannerSettings(spacing=4.0, noise=0.0, waves=0.0, holes=0)
    scan = scan_head(face_model.mean.numpy(), face_model.faces.numpy(), np.random.default_rng(0), quiet)
    from mgc_lightning.geometry.closest_points import ClosestPoints

    assert ClosestPoints(face_model.mean, face_model.faces).query(scan.verts).distances.max() < 1e-9
    assert scan.faces.max() < len(scan.verts)
    holes = ScannerSettings(spacing=4.0, holes=5, hole_radius=(8.0, 9.0))
    holed = scan_head(face_model.mean.numpy(), face_model.faces.numpy(), np.random.default_rng(0), holes)
    assert len(holed.verts) < len(scan.verts)
    with pytest.raises(MGCError, match="nothing to scan"):
        scan_head(face_model.mean.numpy(), face_model.faces[:0].numpy(), np.random.default_rng(0), quiet)


def test_bad_settings():
    with pytest.raises(MGCError, match="`subjects` must be a whole number of at least 1"):
        NoWSetSettings(subjects=0)
