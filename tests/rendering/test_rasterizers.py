import logging
import subprocess
import sys

import pytest
import torch
from rasterizer_reference import ReferenceRasterizer, random_scene

from mgc_lightning.errors import MGCError
from mgc_lightning.rendering.rasterizers import BACKENDS, Rasterizer, available_rasterizers, choice, get_rasterizer

NUMBA = get_rasterizer("numba")
SQUARE = torch.tensor([[2.0, 3.0, 100.0], [7.0, 3.0, 100.0], [7.0, 9.0, 100.0], [2.0, 9.0, 100.0]])
SQUARE_FACES = torch.tensor([[0, 1, 2], [0, 2, 3]])


def _one(verts, faces, size=(12, 16)):
    pix_to_face, zbuf = NUMBA(torch.as_tensor(verts)[None], torch.as_tensor(faces), size)
    return pix_to_face[0], zbuf[0]


class TestCoverage:
    def test_square_covers_the_pixels_whose_centres_it_contains(self):
        winner, zbuf = _one(SQUARE, SQUARE_FACES)
        expected = torch.zeros(12, 16, dtype=torch.bool)
        expected[3:9, 2:7] = True
        assert (expected == (winner >= 0)).all()
        assert (zbuf[expected] == 100).all()
        assert (zbuf[~expected] == 0).all()
        assert (winner[~expected] == -1).all()

    def test_pixel_centres_on_an_edge_are_covered(self):
        winner, _ = _one(SQUARE + torch.tensor([0.5, 0.5, 0.0]), SQUARE_FACES)
        assert (winner >= 0).sum() == 6 * 7

    def test_both_orientations_are_drawn(self):
        front, _ = _one(SQUARE, SQUARE_FACES)
        back, _ = _one(SQUARE, SQUARE_FACES.flip(1))
        assert (front == back).all()

    @pytest.mark.parametrize("seed", range(5))
    def test_a_triangulated_plane_has_no_cracks(self, seed):
        generator = torch.Generator().manual_seed(seed)
        grid = torch.stack(torch.meshgrid(torch.arange(9.0), torch.arange(9.0), indexing="xy"), dim=-1)
        inner = torch.zeros(9, 9, 2)
        inner[1:-1, 1:-1] = torch.rand(7, 7, 2, generator=generator) - 0.5
        uv = ((grid + 0.6 * inner) * 4).reshape(-1, 2)
        verts = torch.cat([uv, torch.full((81, 1), 1000.0)], dim=-1)
        a = (torch.arange(8)[:, None] * 9 + torch.arange(8)).reshape(-1)
        faces = torch.cat([torch.stack([a, a + 1, a + 10], 1), torch.stack([a, a + 10, a + 9], 1)])
        winner, _ = _one(verts, faces, (32, 32))
        assert (winner >= 0).all()


class TestDepth:
    def test_nearer_triangle_wins_whatever_the_order(self):
        verts = torch.cat([SQUARE, SQUARE + torch.tensor([2.0, 2.0, -50.0])])
        faces = torch.cat([SQUARE_FACES, SQUARE_FACES + 4])
        winner, zbuf = _one(verts, faces)
        assert (winner[5:11, 4:9] >= 2).all()
        assert (zbuf[5:11, 4:9] == 50).all()
        flipped, _ = _one(verts, faces.flip(0))
        assert ((3 - flipped)[flipped >= 0] == winner[winner >= 0]).all()

    def test_the_later_of_equal_triangles_wins(self):
        winner, _ = _one(SQUARE, SQUARE_FACES.repeat(3, 1))
        assert (winner[winner >= 0] >= 4).all()

    def test_depth_of_a_slanted_plane_is_perspective_correct(self):
        # The plane X = z / 2 - 100 ... seen through u = 10 X / z + 8.
        corners = torch.tensor([[-50.0, -40.0, 100.0], [50.0, -40.0, 300.0], [50.0, 40.0, 300.0]])
        screen = torch.cat([10 * corners[:, :2] / corners[:, 2:] + 8, corners[:, 2:]], dim=-1)
        winner, zbuf = _one(screen, [[0, 1, 2]], (16, 16))
        u = torch.arange(16) + 0.5
        expected = (100 / (0.5 - (u - 8) / 10)).expand(16, 16)
        covered = winner >= 0
        assert covered.any()
        torch.testing.assert_close(zbuf[covered], expected[covered], rtol=1e-5, atol=0)


class TestHostileInput:
    @pytest.mark.parametrize(
        "corner",
        [
            (5.0, 5.0, -10.0),
            (5.0, 5.0, 0.0),
            (5.0, 5.0, 0.5),
            (float("nan"), 5.0, 100.0),
            (5.0, float("inf"), 100.0),
            (5.0, 5.0, float("nan")),
            (5.0, 5.0, float("inf")),
            (-float("inf"), float("nan"), 100.0),
        ],
    )
    def test_triangles_with_a_bad_corner_are_dropped(self, corner):
        verts = torch.cat([SQUARE, torch.tensor([corner])])
        for order in ([0, 2, 4], [4, 0, 2], [2, 4, 0]):
            winner, zbuf = _one(verts, torch.cat([SQUARE_FACES, torch.tensor([order])]))
            assert winner.max() == 1
            assert zbuf.isfinite().all()

    @pytest.mark.parametrize("face", [[0, 0, 0], [0, 1, 1], [0, 1, 4]])
    def test_triangles_without_area_are_dropped(self, face):
        verts = torch.cat([SQUARE, torch.tensor([[4.5, 3.0, 50.0]])])
        winner, _ = _one(verts, [face])
        assert (winner == -1).all()

    @pytest.mark.parametrize("shift", [(100.0, 0.0), (-100.0, 0.0), (0.0, 100.0), (0.0, -100.0), (1e30, 1e30)])
    def test_triangles_outside_the_image(self, shift):
        winner, _ = _one(SQUARE + torch.tensor([*shift, 0.0]), SQUARE_FACES)
        assert (winner == -1).all()

    def test_triangle_far_larger_than_the_image(self):
        verts = torch.tensor([[-1e9, -1e9, 10.0], [1e9, -1e9, 10.0], [0.0, 1e9, 10.0]])
        winner, zbuf = _one(verts, [[0, 1, 2]])
        assert (winner == 0).all()
        torch.testing.assert_close(zbuf, torch.full_like(zbuf, 10.0))

    def test_no_faces_no_vertices_no_samples(self):
        none = torch.zeros(0, 3, dtype=torch.int64)
        assert (_one(SQUARE, none)[0] == -1).all()
        assert (_one(torch.zeros(0, 3), none)[0] == -1).all()
        assert NUMBA(SQUARE[None][:0], SQUARE_FACES, (4, 5))[0].shape == (0, 4, 5)

    @pytest.mark.parametrize(
        ("verts", "faces", "size", "message"),
        [
            (torch.zeros(4, 3), SQUARE_FACES, (4, 4), r"\(B, N, 3\), got \(4, 3\)"),
            (torch.zeros(1, 4, 3, dtype=torch.int64), SQUARE_FACES, (4, 4), "floating-point"),
            (torch.zeros(1, 4, 3), SQUARE_FACES.int(), (4, 4), "int64 faces"),
            (torch.zeros(1, 3, 3), SQUARE_FACES, (4, 4), r"vertices 0..2, got 0..3"),
            (torch.zeros(1, 4, 3), SQUARE_FACES - 1, (4, 4), r"got -1..2"),
            (torch.zeros(1, 4, 3), SQUARE_FACES, (0, 4), "at least 1x1"),
        ],
    )
    def test_wrong_input_is_named(self, verts, faces, size, message):
        with pytest.raises(MGCError, match=message):
            NUMBA(verts, faces, size)

    def test_tensors_on_another_device_are_refused(self):
        with pytest.raises(MGCError, match="works on CPU tensors, got meta"):
            NUMBA(torch.zeros(1, 4, 3, device="meta"), SQUARE_FACES.to("meta"), (4, 4))


class TestAgreement:
    @pytest.mark.parametrize("seed", range(6))
    def test_with_the_float64_reference(self, seed):
        verts, faces = random_scene(seed=seed)
        winner, zbuf = NUMBA(verts, faces, (20, 24))
        expected, expected_z = ReferenceRasterizer()(verts, faces, (20, 24))
        assert (expected >= 0).float().mean() > 0.5
        assert (winner == expected).all()
        torch.testing.assert_close(zbuf, expected_z, rtol=1e-6, atol=0)

    def test_every_sample_as_if_alone_and_on_any_number_of_threads(self):
        verts, faces = random_scene(batch=7)
        together = NUMBA(verts, faces, (24, 24))[0]
        threads = torch.get_num_threads()
        try:
            torch.set_num_threads(3)
            assert (NUMBA(verts, faces, (24, 24))[0] == together).all()
        finally:
            torch.set_num_threads(threads)
        for sample, expected in zip(verts, together, strict=True):
            assert (NUMBA(sample[None], faces, (24, 24))[0][0] == expected).all()

    def test_non_contiguous_and_float64_input(self):
        verts, faces = random_scene()
        expected = NUMBA(verts, faces, (24, 24))[0]
        strange = verts.double().transpose(0, 1).contiguous().transpose(0, 1)
        assert (NUMBA(strange, faces.t().contiguous().t(), (24, 24))[0] == expected).all()

    def test_works_in_a_process_forked_after_its_use(self):
        code = (
            "import os, torch\n"
            "from mgc_lightning.rendering.rasterizers import get_rasterizer\n"
            "verts = torch.rand(4, 30, 3) * 20 + 1; faces = torch.randint(30, (50, 3))\n"
            "torch.set_num_threads(2)\n"
            "a = get_rasterizer('numba')(verts, faces, (16, 16))[0]\n"
            "pid = os.fork()\n"
            "if pid == 0:\n"
            "    b = get_rasterizer('numba')(verts, faces, (16, 16))[0]\n"
            "    os._exit(0 if bool((a == b).all()) else 1)\n"
            "raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
        )
        assert subprocess.run([sys.executable, "-c", code], timeout=120, check=False).returncode == 0


class TestChoice:
    def test_auto_on_the_cpu_is_numba_and_logged_once(self, caplog):
        choice._auto.cache_clear()
        with caplog.at_level(logging.INFO, logger="mgc_lightning"):
            first, second = get_rasterizer(), get_rasterizer("auto", "cpu")
        assert first is second
        assert isinstance(first, Rasterizer)
        assert first.name == "numba"
        assert [record.getMessage() for record in caplog.records] == ["Rasterizer on cpu: numba (auto)"]

    def test_unknown_name(self):
        with pytest.raises(MGCError, match="`rasterizer` must be one of auto, numba, triton, pytorch3d; got 'opengl'"):
            get_rasterizer("opengl")

    def test_numba_on_cuda_is_refused(self):
        with pytest.raises(MGCError, match="not on `cuda`"):
            get_rasterizer("numba", "cuda")

    def test_no_backend_for_other_devices(self):
        with pytest.raises(MGCError, match="No rasterizer works on `meta`"):
            get_rasterizer("auto", "meta")

    def test_triton_on_the_cpu_is_refused(self):
        with pytest.raises(MGCError, match="CUDA"):
            get_rasterizer("triton", "cpu")

    def test_report_of_all_backends(self):
        report = available_rasterizers("cpu")
        assert list(report) == list(BACKENDS)
        assert report["numba"] is None
        assert "CUDA" in report["triton"]
