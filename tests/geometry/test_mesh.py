import pytest
import torch

from mgc_lightning.geometry.mesh import vertex_normals

CUBE_CORNERS = torch.tensor(
    [[x, y, z] for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)], dtype=torch.float64
)
OCTAHEDRON = torch.tensor([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], dtype=torch.float64)
OCTAHEDRON_FACES = torch.tensor(
    [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
)


def _naive(verts, faces):
    """One vertex at a time, as the definition says."""
    v0, v1, v2 = verts[faces].unbind(1)
    of_faces = torch.nn.functional.normalize(torch.linalg.cross(v1 - v0, v2 - v0), dim=-1)
    rows = [of_faces[(faces == vertex).any(1)].mean(0) for vertex in range(len(verts))]
    return torch.nn.functional.normalize(torch.stack(rows), dim=-1)


def test_octahedron_normals_point_outward():
    torch.testing.assert_close(vertex_normals(OCTAHEDRON, OCTAHEDRON_FACES), OCTAHEDRON)


def test_agrees_with_the_definition_and_ignores_area():
    verts = OCTAHEDRON * torch.tensor([1.0, 5.0, 0.2]) + 0.1 * torch.randn(6, 3, dtype=torch.float64)
    torch.testing.assert_close(vertex_normals(verts, OCTAHEDRON_FACES), _naive(verts, OCTAHEDRON_FACES))


@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
def test_batch_gives_what_single_samples_give(batch):
    verts = torch.randn(*batch, 6, 3)
    normals = vertex_normals(verts, OCTAHEDRON_FACES)
    assert normals.shape == verts.shape
    singles = [vertex_normals(sample, OCTAHEDRON_FACES) for sample in verts.reshape(-1, 6, 3)]
    torch.testing.assert_close(normals.reshape(-1, 6, 3), torch.stack(singles))


def test_rotation_turns_the_normals():
    verts = torch.randn(6, 3, dtype=torch.float64)
    R = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64)).Q
    R = R * torch.linalg.det(R).sign()
    torch.testing.assert_close(
        vertex_normals(verts @ R.T, OCTAHEDRON_FACES), vertex_normals(verts, OCTAHEDRON_FACES) @ R.T
    )


def test_gradient():
    verts = OCTAHEDRON + 0.1 * torch.randn(2, 6, 3, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda v: vertex_normals(v, OCTAHEDRON_FACES), verts.requires_grad_())


@pytest.mark.parametrize("bad", [0.0, float("nan"), float("inf")])
def test_degenerate_triangles_pass_no_nan(bad):
    faces = torch.tensor([[0, 1, 2], [0, 1, 1], [1, 2, 3], [0, 3, 3]])
    verts = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [bad, bad, bad], [9, 9, 9]], requires_grad=True)
    normals = vertex_normals(verts, faces)
    normals[:3].sum().backward()
    torch.testing.assert_close(normals[0].detach(), torch.tensor([0.0, 0.0, 1.0]))
    assert normals.isfinite().all()
    assert verts.grad is not None
    assert verts.grad.isfinite().all()
    assert (normals[4] == 0).all()


def test_mesh_without_faces():
    verts = torch.randn(2, 4, 3, requires_grad=True)
    normals = vertex_normals(verts, torch.zeros(0, 3, dtype=torch.int64))
    normals.sum().backward()
    assert (normals == 0).all()
    assert (verts.grad == 0).all()
