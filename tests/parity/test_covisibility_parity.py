"""The covisible map with the official artefacts, and without them (recorded file 06)."""

import numpy as np
import pytest
import torch

pytest.importorskip("h5py", reason="the extra `face-models` is not installed")

from benchmarks.official.covisibility import (
    official_covisible_faces,
    official_covisible_map,
    official_shared_verts,
)
from benchmarks.official_parity import read_vertex_order
from mgc_lightning.face_models import FaceModel
from mgc_lightning.face_models.bfm import load_bfm09
from mgc_lightning.geometry.camera import intrinsics
from mgc_lightning.geometry.covisibility import pixels_with_shared_verts
from mgc_lightning.geometry.pose import pose_to_transform, transform_points
from mgc_lightning.rendering.renderer import FaceRenderer


@pytest.fixture(scope="module")
def recorded(golden):
    with np.load(golden / "mgcnet" / "06_covisible.npz") as file:
        return {key: torch.from_numpy(file[key].astype(np.float64)) for key in file.files}


@pytest.fixture(scope="module")
def model(golden):
    return FaceModel(load_bfm09(golden / "mgcnet" / "00_pseudo_bfm_small.h5"))


@pytest.fixture(scope="module")
def vertex_order(golden):
    return read_vertex_order(golden / "mgcnet")


@pytest.fixture(scope="module")
def ids(golden, recorded):
    """Triangle ids, top row first, -1 in the background."""
    with np.load(golden / "mgcnet" / "04_warp.npz") as file:
        covered = [torch.from_numpy(file[f"depth_{name}"]) > 0 for name in ("tar", "src")]
    found = [recorded[f"tri_id_{name}_bottom_up"].long().flip(1) for name in ("tar", "src")]
    return [torch.where(mask, triangles, -1) for mask, triangles in zip(covered, found, strict=True)]


@pytest.fixture(scope="module")
def covisible_faces(ids, model, vertex_order):
    faces = model.face_region_faces
    shared = official_shared_verts(*ids, faces, vertex_order, model.num_verts)
    return official_covisible_faces(shared, faces)


def test_triangle_sets_are_exact(recorded, covisible_faces, model, vertex_order):
    rank = torch.full((model.num_verts,), -1)
    rank[vertex_order] = torch.arange(len(vertex_order))
    faces = rank[model.face_region_faces].numpy()
    for pair in range(6):
        expected = np.unique(recorded["tri_consistency"][pair].long().numpy(), axis=0)
        found = np.unique(faces[covisible_faces[pair].numpy()], axis=0)
        np.testing.assert_array_equal(found, expected)


def test_maps_with_artefacts(recorded, covisible_faces, model):
    T = pose_to_transform(recorded["pose_tar"])
    verts = transform_points(T, recorded["vertex_tar"])
    K = intrinsics(224, dtype=torch.float64).expand(6, 3, 3)
    found = official_covisible_map(FaceRenderer(), verts, covisible_faces, model.face_region_faces, K, image_size=224)
    expected = recorded["covis_map"].permute(0, 3, 1, 2)
    different = (found != expected).flatten(1).sum(1)
    assert (different <= 1e-3 * 224**2).all()


def test_the_library_agrees_but_for_the_artefacts(recorded, ids, model):
    """Without triangle 0 as background and without drawing hidden triangles, the map only loses pixels."""
    faces = model.face_region_faces
    found = pixels_with_shared_verts(*ids, faces, model.num_verts)
    official = recorded["covis_map"].permute(0, 3, 1, 2) > 0
    face = recorded["face_mask_tar"].permute(0, 3, 1, 2) > 0
    added = (found & ~official).flatten(1).sum(1)
    assert (added <= 1e-3 * 224**2).all()
    agreement = (found == official)[face].double().mean()
    assert agreement > 0.97
    # What is lost belongs to triangles that hide or touch what only the artefacts call covisible.
    lost = official & ~found
    assert lost.sum() < 0.03 * official.sum()


def test_shorter_sets_get_vertex_zero():
    faces = torch.tensor([[0, 1, 2], [3, 4, 5], [4, 5, 6]])
    ids = torch.tensor([[[0, 1, 2]], [[0, 1, 1]]])
    shared = official_shared_verts(ids, ids, faces, torch.tensor([7, 6, 5, 4, 3, 2, 1, 0]), num_verts=8)
    assert shared[0].tolist() == [True] * 7 + [False]
    assert shared[1].tolist() == [True] * 6 + [False, True]


def test_background_shows_triangle_zero():
    faces = torch.tensor([[0, 1, 2], [3, 4, 5]])
    background = torch.full((1, 2, 2), -1)
    shared = official_shared_verts(background, background, faces, torch.arange(6), num_verts=6)
    assert shared[0].tolist() == [True, True, True, False, False, False]
