"""The shipped face model, as found in the package."""

import numpy as np
import pytest
import torch
from meshes import face_normals

from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.realy.topology import inner_parts
from mgc_lightning.face_models import FaceModel, available_face_models, load_face_model_data
from mgc_lightning.geometry.alignment import apply_similarity, similarity_fit
from mgc_lightning.geometry.camera import intrinsics, project
from mgc_lightning.geometry.landmarks68 import FIVE_POINTS, SEVEN_POINTS, TEMPLATE_5
from mgc_lightning.geometry.pose import pose_to_transform, transform_points
from tools.makehuman_build.landmarks import anchor_vertices, check_placements, parse_portable, read_placements


@pytest.fixture(scope="module")
def data():
    return load_face_model_data("makehuman")


@pytest.fixture(scope="module")
def fine(data):
    return FaceModel(data, 1)


@pytest.fixture(scope="module")
def coarse(data):
    return FaceModel(data, 0)


def test_contract(data, coarse, fine):
    assert (coarse.num_verts, len(coarse.faces)) == (4032, 7880)
    assert (fine.num_verts, len(fine.faces)) == (16001, 31600)
    assert (coarse.layout.identity, coarse.layout.albedo, coarse.layout.expression) == (80, 40, 52)
    assert coarse.expression_names[24] == "jawOpen"
    assert coarse.expression_sigma.unique().tolist() == [0.25]
    assert available_face_models()["makehuman"].stat().st_size < 6e6
    assert "CC0" in coarse.licence
    assert len(data.info.sources[0].sha256) == 64
    np.testing.assert_allclose(np.asarray(data.subdivision.sum(axis=1)), 1, atol=1e-5)


def test_anchors_are_where_the_portable_ids_say(data, fine):
    """A vertex of the base mesh, an edge's or a quad's: the anchor is near the mean of their control vertices."""
    control_of = {int(base): control for control, base in enumerate(data.extras["makehuman.vertex_ids"])}
    anchors = anchor_vertices(data)
    for number, ids in enumerate(parse_portable()):
        expected = data.mean[[control_of[vertex] for vertex in ids]].mean(axis=0)
        assert np.linalg.norm(fine.mean[anchors[number]].numpy() - expected) < 2.0, number
        # The subdivided vertex depends most on exactly these control vertices.
        row = data.subdivision[anchors[number]].toarray().ravel()
        strongest = set(np.argsort(-row)[: len(ids)].tolist())
        assert strongest == {control_of[vertex] for vertex in ids}, number


def test_landmarks_are_the_placements_on_triangles_of_skin(data, fine):
    index, weights = read_placements()
    np.testing.assert_array_equal(data.landmarks68_index, index)
    np.testing.assert_allclose(data.landmarks68_weights, weights, atol=1e-6)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-5)
    assert weights.min() >= 0
    check_placements(index, data.subdivided_faces)
    assert not inner_parts(fine)[index].all(axis=1).any()
    np.testing.assert_array_equal(data.landmarks7_index, index[list(SEVEN_POINTS)])
    with pytest.raises(MGCError, match="no triangle"):
        check_placements(index[:, [0, 0, 1]], data.subdivided_faces)


def test_landmarks_did_not_touch_the_geometry(data):
    """Stored networks name this geometry."""
    assert data.fingerprint() == "f1ae7741ce953f43a1610f3740aa2f289decf66f2dedf3d0f62a8a6ac0f05e0b"


def test_inner_lips_and_lids_meet_when_mouth_and_eyes_close(fine):
    def gaps(pairs: list[tuple[int, int]], **activations: float) -> torch.Tensor:
        expression = torch.zeros(52)
        for name, value in activations.items():
            expression[fine.expression_names.index(name)] = value
        points = fine.landmarks68(fine.shape(torch.zeros(80), expression))
        return torch.stack([(points[upper] - points[lower])[:2].abs().max() for upper, lower in pairs])

    lips = [(61, 67), (62, 66), (63, 65)]
    assert gaps(lips).max() < 1.5
    assert gaps(lips, jawOpen=0.5).min() > 10
    lids = [(37, 41), (38, 40), (43, 47), (44, 46)]
    assert gaps(lids).min() > 7
    assert gaps(lids, eyeBlinkLeft=0.7, eyeBlinkRight=0.7).max() < 2


def test_jaw_points_lie_at_equal_distances_on_the_contour(fine):
    jaw = fine.landmarks68(fine.mean)[:17]
    steps = (jaw[1:] - jaw[:-1]).norm(dim=-1)
    assert steps.std() / steps.mean() < 0.05
    # Of ear to chin on both sides: the first in front of the ear, the middle one lowest.
    assert jaw[:, 1].argmin() == 8
    assert jaw[[0, 16], 2].max() < jaw[8, 2] - 40


def test_landmarks_agree_between_levels(coarse, fine):
    identity, expression = torch.randn(3, 80), torch.rand(3, 52)
    torch.testing.assert_close(
        coarse.landmarks68(coarse.shape(identity, expression)),
        fine.landmarks68(fine.shape(identity, expression)),
        atol=2e-3,
        rtol=0,
    )


def test_frame_and_size(data, fine):
    points, anchors = fine.landmarks68(fine.mean), fine.mean[anchor_vertices(data)]
    assert points[30, 2] > points[27, 2] > points[36, 2]
    assert anchors[27, 2].item() == pytest.approx(75, abs=0.01)
    assert anchors[[36, 39, 42, 45], 1].mean().item() == pytest.approx(30, abs=0.01)
    assert points[8, 1] < points[57, 1] < points[33, 1] < points[27, 1]
    assert points[36, 0] < points[39, 0] < 0 < points[42, 0] < points[45, 0]
    # Adults: 88 mm between the outer eye corners.
    assert (points[45] - points[36]).norm().item() == pytest.approx(88.4, abs=1.5)
    low, high = fine.mean[:, 0].min().item(), fine.mean[:, 0].max().item()
    assert low == pytest.approx(-high, abs=0.3)
    mirrored = points[[45, 54, 31, 16]] * torch.tensor([-1.0, 1, 1])
    torch.testing.assert_close(mirrored, points[[36, 48, 35, 0]], atol=0.2, rtol=0)


def test_triangles_point_outward(fine):
    """The front of the face looks at the viewer, cheeks look outward, eyeballs bulge away from their centres."""
    normals = face_normals(fine.mean, fine.faces)

    def of(name: str) -> torch.Tensor:
        return normals[fine.region(name)[fine.faces].all(dim=1)]

    assert (of("forehead")[:, 2] > 0).all()
    assert (of("cheek_r")[:, 0] < 0.1).all()
    assert (of("cheek_l")[:, 0] > -0.1).all()
    scalp = fine.region("scalp")[fine.faces].all(dim=1)
    outward = fine.mean[fine.faces[scalp]].mean(dim=1) - torch.tensor([0.0, 30, -20])
    assert ((normals[scalp] * outward).sum(dim=-1) > 0).float().mean() > 0.97
    for side in ("eyeball_r", "eyeball_l"):
        ball = fine.region(side)[fine.faces].all(dim=1)
        middle = fine.mean[fine.region(side)].mean(dim=0)
        centre = fine.mean[fine.faces[ball]].mean(dim=1)
        assert ((normals[ball] * (centre - middle)).sum(dim=-1) > 0).float().mean() > 0.95


def test_no_edge_has_more_than_two_triangles(coarse, fine):
    for model in (coarse, fine):
        edges = torch.cat([model.faces[:, pair] for pair in ([0, 1], [1, 2], [2, 0])]).sort(dim=1).values
        _, counts = edges.unique(dim=0, return_counts=True)
        assert counts.max() == 2


def test_few_triangles_flip(fine):
    generator = torch.Generator().manual_seed(0)
    head = ~(fine.region("teeth") | fine.region("mouth_interior"))
    faces = fine.faces[head[fine.faces].all(dim=1)]
    rest = face_normals(fine.mean, faces)
    identity = torch.randn(100, 80, generator=generator)
    flips = [(face_normals(verts, faces) * rest).sum(-1) < -0.5 for verts in fine.shape(identity)]
    assert torch.stack(flips).float().mean() < 5e-4


def test_identity_statistics(data, coarse):
    """Directions are ordered by their size, and random faces differ as much as people of a scan-based model."""
    size = coarse.identity_basis.square().sum(dim=(1, 2)).sqrt()
    assert size[:10].mean() > 3 * size[40:].mean()
    assert data.info.notes["identity_explained"]["80"] > 0.995
    first, second = coarse.shape(torch.randn(2, 60, 80, generator=torch.Generator().manual_seed(1)))
    weights = coarse.face_mask.float().expand(60, -1)
    s, R, t = similarity_fit(first, second, weights)
    distance = (apply_similarity(first, s, R, t) - second).norm(dim=-1)[:, coarse.face_mask].mean()
    assert distance.item() == pytest.approx(3.9, abs=0.4)


def test_regions(fine):
    expected = {"nose": 1414, "lips": 962, "teeth": 462, "eyeball_l": 313, "mouth_interior": 1555, "face": 7426}
    assert {name: int(fine.region(name).sum()) for name in expected} == expected
    partition = torch.stack([fine.region(name) for name in fine.region_names if not name.startswith("face")])
    assert (partition.sum(dim=0) == 1).all()
    lips = fine.landmarks68_index[48:68]
    assert fine.region("lips")[lips].float().mean() > 0.7
    x = fine.mean[:, 0]
    for name in ("cheek", "brow", "ear", "eye_region", "eyeball"):
        assert x[fine.region(f"{name}_r")].max() < 0 < x[fine.region(f"{name}_l")].min()


def test_rendered_face_has_no_ears_scalp_or_teeth(coarse, fine):
    for model in (coarse, fine):
        used = model.face_region_faces.unique()
        for name in ("ear_r", "ear_l", "scalp", "teeth"):
            assert not model.region(name)[used].any(), name
        assert model.region("eyeball_r")[used].any()
        assert 0.3 < len(model.face_region_faces) / len(model.faces) < 0.7
        assert len(model.faces_without("teeth")) < len(model.faces)


def test_main_pose_puts_the_five_points_on_the_template(fine):
    points = fine.landmarks68(fine.mean)
    five = torch.stack([points[group].mean(dim=0) for group in FIVE_POINTS])
    pixels = project(transform_points(pose_to_transform(fine.main_pose), five), intrinsics(224))
    # The face's proportions are not those of the template's, so the fit leaves two pixels.
    assert np.linalg.norm(pixels.numpy() - TEMPLATE_5, axis=1).max() < 2.2
    assert np.abs((pixels.numpy() - TEMPLATE_5).mean(axis=0)).max() < 0.1


def test_expression_units_move_what_they_name(fine):
    def moved(name: str) -> torch.Tensor:
        return fine.expression_basis[fine.expression_names.index(name)]

    assert fine.landmarks68(moved("jawOpen"))[8, 1] < -10
    assert fine.landmarks68(moved("jawOpen"))[27].norm() < 0.5
    smile = fine.landmarks68(moved("mouthSmileLeft"))
    assert smile[54].norm() > 4 * smile[48].norm()
    blink = fine.landmarks68(moved("eyeBlinkLeft"))
    assert blink[[43, 44], 1].max() < -3
    assert blink[36:42].abs().max() < 0.5
