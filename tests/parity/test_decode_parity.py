"""Library decoder, normals and light against the official program's (recorded file 02)."""

import numpy as np
import pytest
import torch

pytest.importorskip("h5py", reason="the extra `face-models` is not installed")

from mgc_lightning.coefficients import LIGHT_AMBIENT
from mgc_lightning.face_models import FaceModel
from mgc_lightning.face_models.bfm import load_bfm09
from mgc_lightning.geometry.mesh import vertex_normals
from mgc_lightning.rendering.lighting import shade


@pytest.fixture(scope="module")
def model(golden):
    return FaceModel(load_bfm09(golden / "mgcnet" / "00_pseudo_bfm_small.h5"))


@pytest.fixture(scope="module")
def recorded(golden):
    with np.load(golden / "mgcnet" / "02_decode.npz") as file:
        return {key: torch.from_numpy(file[key]) for key in file.files}


def test_layout_is_the_official_one(model):
    assert model.layout.total == 257
    assert list(model.layout.sizes.values()) == [80, 80, 64, 6, 27]


def test_vertices(model, recorded):
    verts = model.shape(recorded["shape"], recorded["exp"])
    assert (verts - recorded["vertex"]).abs().max() < 1e-4


def test_normals(model, recorded):
    error = (vertex_normals(recorded["vertex"][:6], model.faces) - recorded["normal"]).abs()
    assert error.max() < 5e-4
    assert error.flatten().quantile(0.99) < 1e-5


def test_albedo(model, recorded):
    assert (model.texture(recorded["color"][:6]) - recorded["valbedo"]).abs().max() < 1e-6


def test_shade_and_colour(recorded):
    light = recorded["light"][:6].clone()
    light[:, ::9] += LIGHT_AMBIENT
    shading = shade(recorded["normal"], light)
    assert (shading - recorded["vshade"]).abs().max() < 1e-6
    assert (shading * recorded["valbedo"] - recorded["vcolor"]).abs().max() < 1e-6
