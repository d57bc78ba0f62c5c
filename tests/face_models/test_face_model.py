import dataclasses

import numpy as np
import pytest
import scipy.sparse
import torch

from mgc_lightning.coefficients import LIGHT_AMBIENT, FaceCoefficients
from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import FaceModel, FaceModelData, FaceModelInfo
from mgc_lightning.geometry.border import smooth_border
from mgc_lightning.geometry.landmarks68 import FIVE_POINTS, TEMPLATE_5
from mgc_lightning.geometry.main_pose import fit_main_pose

SQUARE = np.array([[0, 1, 2], [0, 2, 3]])


def small_model(subdivided: bool = True) -> FaceModelData:
    """A square whose centre is its only fine vertex more."""
    rng = np.random.default_rng(0)
    matrix = scipy.sparse.csr_matrix(np.vstack([np.eye(4), np.full((1, 4), 0.25)]))
    fine = 5 if subdivided else 4
    regions = np.ones((3, fine), dtype=bool)
    regions[1, 0] = False
    regions[2] = np.arange(fine) == 0
    return FaceModelData(
        info=FaceModelInfo("square", expression_names=["open"], region_names=["face", "face_render", "corner"]),
        mean=np.array([[0.0, 0, 0], [2, 0, 0], [2, 2, 0], [0, 2, 0]]),
        identity_basis=rng.normal(size=(3, 4, 3)),
        expression_basis=rng.normal(size=(1, 4, 3)),
        expression_sigma=np.array([0.25]),
        faces=SQUARE,
        albedo_mean=np.full((fine, 3), 0.5),
        albedo_basis=rng.normal(size=(2, fine, 3)),
        landmarks68_index=np.full((68, 1), fine - 1),
        landmarks68_weights=np.ones((68, 1)),
        landmarks7_index=np.tile([[0, 1]], (7, 1)),
        landmarks7_weights=np.full((7, 2), 0.5),
        regions=regions,
        main_pose=np.array([0, 0, np.pi, 0, 0, 5000]),
        subdivision=matrix if subdivided else None,
        subdivided_faces=np.array([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]]) if subdivided else None,
    )


def test_decodes_the_linear_model():
    data = small_model()
    model = FaceModel(data)
    identity, expression = torch.randn(2, 5, 3), torch.randn(2, 5, 1)
    expected = (
        data.mean
        + np.einsum("abi,inc->abnc", identity, data.identity_basis)
        + np.einsum("abe,enc->abnc", expression, data.expression_basis)
    )
    torch.testing.assert_close(model.shape(identity, expression), torch.from_numpy(expected).float())
    assert model.shape(identity[0, 0]).shape == (4, 3)


def test_the_rendered_region_is_the_owners_unless_its_border_is_smoothed():
    side = 6
    index = np.arange(side * side).reshape(side, side)
    a, b, c, d = (part.ravel() for part in (index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]))
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([b, d, c], 1)])
    region = np.zeros((side, side), dtype=bool)
    region[:3], region[3, 2:4] = True, True  # a tab below the region's straight border
    data = dataclasses.replace(
        small_model(subdivided=False),
        mean=np.random.default_rng(0).normal(size=(side * side, 3)),
        identity_basis=np.zeros((1, side * side, 3)),
        expression_basis=np.zeros((1, side * side, 3)),
        faces=faces,
        albedo_mean=np.zeros((side * side, 3)),
        albedo_basis=np.zeros((1, side * side, 3)),
        regions=np.stack([region.ravel()] * 3),
    )
    assert FaceModel(data).face_region_faces.unique().tolist() == np.flatnonzero(region).tolist()
    data.info.smooth_border = True
    smoothed = FaceModel(data).face_region_faces.unique()
    assert smoothed.tolist() == np.flatnonzero(smooth_border(faces, region.ravel())).tolist()
    assert smoothed.max() < 3 * side


def test_texture_is_clipped_and_stops_gradients_outside():
    model = FaceModel(small_model())
    albedo = torch.full((1, 2), 50.0, requires_grad=True)
    colours = model.texture(albedo)
    assert colours.min() >= 0
    assert colours.max() <= 1
    colours.sum().backward()
    assert albedo.grad is not None
    assert albedo.grad.abs().max() == 0


def test_levels_agree_through_the_subdivision():
    data = small_model()
    coarse, fine = FaceModel(data, 0), FaceModel(data, 1)
    identity, expression = torch.randn(3), torch.randn(1)
    control = coarse.shape(identity, expression)
    matrix = torch.from_numpy(data.subdivision.toarray()).float()
    torch.testing.assert_close(fine.shape(identity, expression), matrix @ control)
    torch.testing.assert_close(coarse.landmarks68(control), fine.landmarks68(fine.shape(identity, expression)))
    torch.testing.assert_close(coarse.landmarks7(control), fine.landmarks7(matrix @ control))
    assert coarse.fingerprint == fine.fingerprint


def test_forward_gives_a_mesh_with_normals():
    model = FaceModel(small_model())
    coefficients = model.mean_coefficients(2)
    mesh = model(coefficients)
    assert mesh.verts.shape == mesh.normals.shape == mesh.albedo.shape == (2, 4, 3)
    torch.testing.assert_close(mesh.normals, torch.tensor([0.0, 0, 1]).expand(2, 4, 3))
    assert coefficients.light.unflatten(-1, (3, 9))[..., 0].unique().tolist() == pytest.approx([LIGHT_AMBIENT])
    torch.testing.assert_close(coefficients.pose, model.main_pose.expand(2, 6))
    vector = coefficients.to_vector()
    assert FaceCoefficients.from_vector(vector, model.layout).layout == model.layout


def test_regions_choose_vertices_and_triangles():
    model = FaceModel(small_model())
    assert model.region("corner").tolist() == [True, False, False, False]
    assert model.face_mask.all()
    assert len(model.face_region_faces) == 0
    assert FaceModel(small_model(), 1).face_region_faces.tolist() == [[1, 2, 4], [2, 3, 4]]
    assert FaceModel(small_model(), 1).faces_without("corner").tolist() == [[1, 2, 4], [2, 3, 4]]
    with pytest.raises(MGCError, match=r"no region `ear`.*corner"):
        model.region("ear")


def test_a_checkpoint_carries_no_face_model():
    assert FaceModel(small_model()).state_dict() == {}


def test_gradients_reach_the_coefficients():
    model = FaceModel(small_model()).double()
    identity = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    expression = torch.randn(2, 1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, b: model.landmarks7(model.shape(a, b)), (identity, expression))


def test_bad_input_is_named():
    with pytest.raises(MGCError, match=r"levels 0\.\.0, got level=1"):
        FaceModel(small_model(subdivided=False), 1)
    with pytest.raises(ValueError, match="Expected 3 identity coefficients, got 2"):
        FaceModel(small_model()).shape(torch.zeros(2))


def test_exports_without_python_in_the_graph():
    model = FaceModel(small_model())

    class Decoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, identity: torch.Tensor) -> torch.Tensor:
            return self.model.landmarks68(self.model.shape(identity))

    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(Decoder(), (torch.zeros(2, 3),), dynamic_shapes=({0: batch},))
    identity = torch.randn(5, 3)
    torch.testing.assert_close(program.module()(identity), model.landmarks68(model.shape(identity)))


def test_main_pose_brings_the_template_back():
    rng = np.random.default_rng(1)
    t = np.array([3.0, -8.0, 5000.0])
    depth = rng.normal(size=5) * 10
    camera = np.c_[(np.array(TEMPLATE_5) - 112) / 4700 * (depth + t[2])[:, None], depth + t[2]]
    points = (camera - t) * (1, -1, -1)
    landmarks = np.zeros((68, 3))
    for group, point in zip(FIVE_POINTS, points, strict=True):
        landmarks[group] = point
    np.testing.assert_allclose(fit_main_pose(landmarks), [0, 0, np.pi, *t], atol=1e-3)
