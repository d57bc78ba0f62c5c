"""The 68 points are iBUG's: they have the proportions of annotated faces."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mgc_lightning.face_models import FaceModel, load_face_model, load_face_model_data
from mgc_lightning.face_models.conversion import single_vertices
from mgc_lightning.face_models.landmark_proportions import (
    IBUG_PROPORTIONS,
    departures,
    frontal_frame,
    landmark_proportions,
)
from tools.makehuman_build.landmarks import anchor_vertices

MEAN_300W = {"lip_49_53": 0.41, "lip_50_52": 0.73, "lip_55_59": 0.37, "lip_56_58": 0.68}
SCATTER = {"lip_49_53": 0.08, "lip_50_52": 0.08, "lip_55_59": 0.08, "lip_56_58": 0.08, "nose_width": 8.0,
           "nose_height": 3.0, "brow_width": 10.0, "brow_height": 8.0}  # fmt: skip
"""How far single people may lie from the mean face; noses differ."""


@pytest.fixture(scope="module")
def model():
    return load_face_model("makehuman")


def test_the_mean_face_has_the_proportions_of_annotated_faces(model):
    found = landmark_proportions(model.landmarks68(model.mean).numpy())
    for name, (low, high) in IBUG_PROPORTIONS.items():
        assert low <= found[name] <= high, (name, found[name])
    for name, annotated in MEAN_300W.items():
        assert found[name] == pytest.approx(annotated, abs=0.05), name


def test_so_have_a_hundred_people(model):
    identity = torch.randn(100, model.layout.identity, generator=torch.Generator().manual_seed(0))
    people = landmark_proportions(model.landmarks68(model.shape(identity)).numpy())
    mean = landmark_proportions(model.landmarks68(model.mean).numpy())
    for name, (low, high) in IBUG_PROPORTIONS.items():
        assert low <= people[name].mean() <= high, (name, people[name].mean())
        assert np.abs(people[name] - mean[name]).max() < SCATTER[name], name
    for name, annotated in MEAN_300W.items():
        assert (np.abs(people[name] - annotated) < 0.05).mean() > 0.9, name


def test_the_geometric_points_of_the_first_build_have_not():
    data = load_face_model_data("makehuman")
    index, weights = single_vertices(anchor_vertices(data))
    old = FaceModel(replace(data, landmarks68_index=index, landmarks68_weights=weights))
    wrong = " ".join(departures(old.landmarks68(old.mean).numpy()))
    for name in ("lip_49_53", "lip_50_52", "lip_55_59", "nose_width", "nose_height"):
        assert name in wrong


def test_proportions_do_not_depend_on_size_and_place(model):
    points = model.landmarks68(model.mean).numpy()
    moved = 0.3 * points + np.array([5.0, -20.0, 400.0])
    for name, value in landmark_proportions(points).items():
        assert landmark_proportions(moved)[name] == pytest.approx(value, abs=1e-3), name


def test_the_frame_is_level_and_in_percent():
    points = np.random.default_rng(0).normal(size=(5, 68, 2))
    face = frontal_frame(points)
    np.testing.assert_allclose(face[:, 36], [[-50, 0]] * 5, atol=1e-9)
    np.testing.assert_allclose(face[:, 45], [[50, 0]] * 5, atol=1e-9)
    upright = np.zeros((68, 2))
    upright[36], upright[45], upright[8] = [-2, 0], [2, 0], [0, -4]
    np.testing.assert_allclose(frontal_frame(upright)[8], [0, 100])
