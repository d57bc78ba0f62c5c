import math

import pytest
import torch
from rasterizer_reference import ReferenceRasterizer, sphere

from mgc_lightning.errors import MGCError
from mgc_lightning.geometry.camera import intrinsics
from mgc_lightning.geometry.mesh import vertex_normals
from mgc_lightning.geometry.pose import pose_to_transform, transform_points
from mgc_lightning.rendering.renderer import FaceRenderer, render_attributes
from mgc_lightning.structures import FaceMesh

SIZE = 48
RADIUS = 80.0


def _ball(batch=1, dtype=torch.float32, **options):
    verts, faces = sphere(radius=RADIUS, **options)
    verts = verts.to(dtype).expand(batch, -1, -1).clone()
    return FaceMesh(verts, faces, vertex_normals(verts, faces), torch.full_like(verts, 0.5))


def _pose(batch=1, yaw=0.0, distance=5000.0, dtype=torch.float32):
    pose = torch.tensor([0.0, yaw, math.pi, 0.0, 0.0, distance], dtype=dtype)
    return pose_to_transform(pose.repeat(batch, 1))


def _light(batch=1, dtype=torch.float32):
    light = torch.zeros(batch, 27, dtype=dtype)
    light[:, ::9] = 1.0
    light[:, 2::9] = 0.4
    return light


K = intrinsics(SIZE)


class TestForward:
    def test_shapes_and_background(self):
        rendered = FaceRenderer()(_ball(2), _pose(2), K, _light(2), SIZE)
        assert rendered.image.shape == (2, 3, SIZE, SIZE)
        assert rendered.mask.shape == rendered.depth.shape == (2, 1, SIZE, SIZE)
        background = rendered.mask == 0
        assert (rendered.depth[background] == 0).all()
        assert (rendered.image[background.expand_as(rendered.image)] == 0).all()
        assert (rendered.fragments.pix_to_face[background[:, 0]] == -1).all()
        assert (rendered.fragments.bary[background[:, 0]] == 0).all()
        torch.testing.assert_close(rendered.fragments.bary.sum(-1), rendered.mask[:, 0], atol=1e-5, rtol=0)

    def test_sphere_covers_its_disk_and_its_depth_is_that_of_the_front(self):
        rendered = FaceRenderer()(_ball(rings=40, segments=80), _pose(), K, _light(), SIZE)
        # A silhouette of radius f r / sqrt(d^2 - r^2).
        radius = K[0, 0].item() * RADIUS / math.sqrt(5000**2 - RADIUS**2)
        assert rendered.mask.sum().item() == pytest.approx(math.pi * radius**2, rel=0.02)
        centre = rendered.depth[0, 0, SIZE // 2 - 1 : SIZE // 2 + 1, SIZE // 2 - 1 : SIZE // 2 + 1]
        torch.testing.assert_close(centre, torch.full((2, 2), 5000 - RADIUS), atol=0.5, rtol=0)
        assert rendered.depth[rendered.mask > 0].min() > 5000 - RADIUS - 1e-2
        assert rendered.depth.max() < 5000 + 1

    def test_colour_is_albedo_times_light(self):
        mesh = _ball(rings=40, segments=80)
        rendered = FaceRenderer()(mesh, _pose(), K, _light(), SIZE)
        # The normal at the centre is +z: 0.5 (0.886227 + 0.4 * 1.772454).
        centre = rendered.image[0, :, SIZE // 2, SIZE // 2]
        torch.testing.assert_close(centre, torch.full((3,), 0.797604), atol=5e-3, rtol=0)

    def test_negative_light_is_clipped_bright_light_is_not(self):
        bright = FaceRenderer()(_ball(), _pose(), K, 10 * _light(), SIZE)
        assert bright.image.max() > 1
        dark = FaceRenderer()(_ball(), _pose(), K, -_light(), SIZE)
        assert dark.image.min() == 0

    def test_image_is_upright_and_not_mirrored(self):
        mesh = _ball()
        mesh.albedo = (mesh.verts > 0).float()
        image = FaceRenderer()(mesh, _pose(), K, _light(), SIZE).image[0]
        right, top = image[0].mean(0), image[1].mean(1)
        assert right[SIZE // 2 :].sum() > 5 * right[: SIZE // 2].sum()
        assert top[: SIZE // 2].sum() > 5 * top[SIZE // 2 :].sum()

    def test_only_the_chosen_triangles_are_drawn(self):
        mesh = _ball()
        some = mesh.faces[(mesh.verts[0, mesh.faces, 0] > 0).all(1)]
        rendered = FaceRenderer()(mesh, _pose(), K, _light(), SIZE, faces=some)
        assert rendered.mask[..., : SIZE // 2 - 1].sum() == 0
        assert rendered.mask[..., SIZE // 2 + 1 :].sum() > 0
        assert rendered.fragments.faces is some

    def test_samples_do_not_influence_each_other(self):
        mesh = _ball(3)
        mesh.verts = mesh.verts * torch.tensor([0.7, 1.0, 1.2])[:, None, None]
        T = torch.cat([_pose(yaw=0.3), _pose(yaw=-0.4), _pose(distance=4000.0)])
        together = FaceRenderer()(mesh, T, K, _light(3), SIZE)
        for index in range(3):
            part = slice(index, index + 1)
            one = FaceMesh(mesh.verts[part], mesh.faces, mesh.normals[part], mesh.albedo[part])
            alone = FaceRenderer()(one, T[part], K.expand(1, 3, 3), _light(), SIZE)
            torch.testing.assert_close(alone.image, together.image[part])
            torch.testing.assert_close(alone.depth, together.depth[part])

    def test_geometry_stays_in_float32_under_autocast(self):
        expected = FaceRenderer()(_ball(), _pose(), K, _light(), SIZE)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            got = FaceRenderer()(_ball(), _pose(), K, _light(), SIZE)
        assert (got.image == expected.image).all()
        assert got.depth.dtype == torch.float32

    def test_rectangular_images(self):
        fragments = FaceRenderer().rasterize(transform_points(_pose(), _ball().verts), _ball().faces, K, (20, 60))
        assert fragments.pix_to_face.shape == (1, 20, 60)

    def test_views_must_be_flattened(self):
        mesh = _ball(2)
        with pytest.raises(MGCError, match="flatten the views"):
            FaceRenderer()(mesh, _pose(3), K, _light(3), SIZE)

    def test_unknown_rasterizer_is_named(self):
        with pytest.raises(MGCError, match="vulkan"):
            FaceRenderer("vulkan")(_ball(), _pose(), K, _light(), SIZE)

    def test_a_rasterizer_of_ones_own(self):
        ours = FaceRenderer()(_ball(), _pose(yaw=0.2), K, _light(), SIZE)
        renderer = FaceRenderer(ReferenceRasterizer())
        reference = renderer(_ball(), _pose(yaw=0.2), K, _light(), SIZE)
        assert "reference" in repr(renderer)
        assert (ours.fragments.pix_to_face == reference.fragments.pix_to_face).all()
        torch.testing.assert_close(ours.image, reference.image)


class TestGradient:
    def test_gradcheck_of_image_and_depth(self):
        mesh = _ball(dtype=torch.float64, rings=4, segments=6)
        K64 = intrinsics(10, dtype=torch.float64)
        pose = torch.tensor([[0.1, 0.2, math.pi + 0.1, 3.0, 2.0, 5000.0]], dtype=torch.float64)
        visible = FaceRenderer()(mesh, pose_to_transform(pose), K64, _light(dtype=torch.float64), 10)

        def render(verts, albedo, light, pose):
            # The same triangles always: a hard silhouette is not differentiable.
            changed = FaceMesh(verts, mesh.faces, vertex_normals(verts, mesh.faces), albedo)
            renderer = FaceRenderer(_Fixed(visible.fragments.pix_to_face))
            rendered = renderer(changed, pose_to_transform(pose), K64, light, 10)
            return rendered.image, rendered.depth

        leaves = (mesh.verts, mesh.albedo, _light(dtype=torch.float64), pose)
        assert torch.autograd.gradcheck(
            render, tuple(leaf.clone().requires_grad_() for leaf in leaves), atol=1e-5, rtol=1e-3, fast_mode=True
        )

    def test_backends_give_one_gradient(self):
        gradients = []
        for rasterizer in ("numba", ReferenceRasterizer()):
            mesh, T = _ball(), _pose(yaw=0.3).requires_grad_()
            mesh.verts.requires_grad_()
            rendered = FaceRenderer(rasterizer)(mesh, T, K, _light(), SIZE)
            weights = torch.linspace(-1, 1, SIZE)
            ((rendered.image * weights).sum() + (rendered.depth * weights).sum()).backward()
            gradients.append((mesh.verts.grad, T.grad))
        torch.testing.assert_close(gradients[0], gradients[1])

    def test_depth_moves_with_the_head(self):
        T = _pose().requires_grad_()
        rendered = FaceRenderer()(_ball(), T, K, _light(), SIZE)
        rendered.depth.sum().backward()
        assert T.grad[0, 2, 3].item() == pytest.approx(rendered.mask.sum().item(), rel=0.05)


class _Fixed:
    name = "fixed"

    def __init__(self, pix_to_face):
        self.pix_to_face = pix_to_face

    def __call__(self, verts_screen, faces, image_size):
        return self.pix_to_face, None


class TestHostileInput:
    def _check(self, mesh, T, expect_empty):
        leaves = [mesh.verts.requires_grad_(), T.requires_grad_()]
        albedo = mesh.albedo.requires_grad_()
        light = _light(len(T)).requires_grad_()
        mesh = FaceMesh(mesh.verts, mesh.faces, vertex_normals(mesh.verts, mesh.faces), albedo)
        rendered = FaceRenderer()(mesh, T, K, light, SIZE)
        (rendered.image.sum() + rendered.depth.sum()).backward()
        for tensor in (rendered.image, rendered.depth, *(leaf.grad for leaf in [*leaves, albedo, light])):
            assert tensor.isfinite().all()
        assert (rendered.mask.sum() == 0) == expect_empty

    def test_head_behind_the_camera(self):
        self._check(_ball(), _pose(distance=-5000.0), expect_empty=True)

    def test_camera_inside_the_head(self):
        self._check(_ball(), _pose(distance=0.0), expect_empty=False)

    def test_head_outside_the_image(self):
        T = _pose()
        T[:, 0, 3] = 1e6
        self._check(_ball(), T, expect_empty=True)

    @pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
    def test_some_vertices_are_not_finite(self, bad):
        mesh = _ball()
        mesh.verts[:, ::7] = bad
        self._check(mesh, _pose(), expect_empty=False)

    def test_a_pose_that_is_not_finite_gives_an_empty_image(self):
        T = _pose()
        T[0, 0, 0] = float("nan")
        rendered = FaceRenderer()(_ball(), T, K, _light(), SIZE)
        assert rendered.mask.sum() == 0
        assert rendered.image.isfinite().all()

    def test_mesh_without_faces(self):
        mesh = _ball()
        mesh.faces = mesh.faces[:0]
        self._check(mesh, _pose(), expect_empty=True)

    def test_degenerate_triangles(self):
        mesh = _ball()
        mesh.verts[:, :100] = mesh.verts[:, :1]
        self._check(mesh, _pose(), expect_empty=False)


class TestAttributes:
    def test_interpolates_positions(self):
        mesh, T = _ball(2), _pose(2, yaw=0.2)
        camera = transform_points(T, mesh.verts)
        fragments = FaceRenderer().rasterize(camera, mesh.faces, K, SIZE)
        points = render_attributes(fragments, camera).permute(0, 2, 3, 1)[fragments.mask]
        v, u = torch.meshgrid(torch.arange(SIZE) + 0.5, torch.arange(SIZE) + 0.5, indexing="ij")
        pixels = torch.stack([u, v], dim=-1).expand(2, -1, -1, -1)[fragments.mask]
        projected = points[:, :2] / points[:, 2:] * K[0, 0] + SIZE / 2
        torch.testing.assert_close(projected, pixels, atol=1e-3, rtol=0)

    def test_agrees_with_the_image(self):
        mesh = _ball()
        rendered = FaceRenderer()(mesh, _pose(), K, _light(), SIZE)
        depth = render_attributes(rendered.fragments, transform_points(_pose(), mesh.verts)[..., 2:])
        torch.testing.assert_close(depth, rendered.depth)

    def test_half_precision_attributes(self):
        mesh = _ball()
        fragments = FaceRenderer().rasterize(transform_points(_pose(), mesh.verts), mesh.faces, K, SIZE)
        assert render_attributes(fragments, torch.ones(1, mesh.verts.shape[1], 5).half()).shape[1] == 5


class TestGeometryFigure:
    def test_three_lights_on_a_ball(self):
        mesh = _ball(rings=40, segments=80)
        image = FaceRenderer().render_geometry(mesh, _pose(), K, SIZE).image[0]
        assert (image[0] == image[1]).all()
        # Ahead: one light at 0 and two at arctan(1000 / (1000 - 80)) degrees.
        expected = 0.7529 * 0.5 * (1 + 2 * math.cos(math.atan2(1000, 920)))
        assert image[0, SIZE // 2, SIZE // 2].item() == pytest.approx(expected, abs=5e-3)

    def test_is_lit_in_the_head_frame(self):
        mesh = _ball(rings=40, segments=80)
        turned = FaceRenderer().render_geometry(mesh, _pose(yaw=math.pi / 2), K, SIZE).image[0, 0]
        assert turned[:, : SIZE // 2].sum() != pytest.approx(turned[:, SIZE // 2 :].sum().item(), rel=0.2)
