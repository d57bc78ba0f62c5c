"""The CUDA kernel: its logic in Triton's interpreter, its compilation without a device, and on a device."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from rasterizer_reference import random_scene, sphere

from mgc_lightning.errors import MGCError
from mgc_lightning.geometry.camera import intrinsics
from mgc_lightning.geometry.mesh import vertex_normals
from mgc_lightning.geometry.pose import pose_to_transform
from mgc_lightning.rendering.rasterizers import get_rasterizer
from mgc_lightning.rendering.rasterizers.triton_cuda import TritonRasterizer, unpack
from mgc_lightning.rendering.renderer import FaceRenderer
from mgc_lightning.structures import FaceMesh

needs_triton = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")

INTERPRETED = """
import torch
from rasterizer_reference import random_scene
from mgc_lightning.rendering.rasterizers import get_rasterizer

numba, triton = get_rasterizer("numba"), get_rasterizer("triton", "cpu")
nan, inf = float("nan"), float("inf")
for seed in range(2):
    verts, faces = random_scene(seed=seed)
    verts[0, :6] = torch.tensor([[nan, 1, 9], [1, inf, 9], [2, 2, nan], [2, 2, inf], [-1e9, 3, 5], [5, 1e30, 8]])
    faces = torch.cat([faces, faces[:8], faces[:1, [0, 0, 1]]])
    for size in ((20, 24), (5, 1)):
        (winner, zbuf), (expected, expected_z) = triton(verts, faces, size), numba(verts, faces, size)
        assert (expected >= 0).any()
        assert (winner == expected).all()
        assert (zbuf == expected_z).all()
assert (triton(verts, faces[:0], (4, 4))[0] == -1).all()
assert (triton(verts, torch.tensor([[0, 1, 10_000]]), (4, 4))[0] == -1).all()
"""

COMPILED = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from mgc_lightning.rendering.rasterizers.triton_kernel import rasterize_kernel

constants = {"NEAR": 1.0, "MIN_DOUBLE_AREA": 1e-6, "TILE_ROWS": 4, "TILE_COLUMNS": 8}
signature = {"verts_ptr": "*fp32", "faces_ptr": "*i64", "packed_ptr": "*i64"}
signature |= {"vertex_count": "i32", "height": "i32", "width": "i32"} | dict.fromkeys(constants, "constexpr")
source = ASTSource(fn=rasterize_kernel, signature=signature, constexprs=constants)
options = {"num_warps": 1, "enable_fp_fusion": False}
ptx = triton.compile(source, target=GPUTarget("cuda", 80, 32), options=options).asm["ptx"]
assert "max.s64" in ptx
assert "fma." not in ptx
"""


def _python(code: str, folder: Path, **variables: str) -> None:
    environment = {**os.environ, "TRITON_CACHE_DIR": str(folder), **variables}
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(Path(__file__).parents[1] / "helpers"), *filter(None, [environment.get("PYTHONPATH")])]
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr


@needs_triton
def test_kernel_agrees_with_the_cpu_in_the_interpreter(tmp_path):
    _python(INTERPRETED, tmp_path, TRITON_INTERPRET="1")


@needs_triton
def test_kernel_compiles_for_cuda_without_fused_multiply_adds(tmp_path):
    _python(COMPILED, tmp_path)


def test_words_are_split_into_face_and_depth():
    depth = torch.tensor([[[250.0, 5000.0, 3.0]]])
    bits = (1 / depth).view(torch.int32).long()
    words = (bits << 32) | torch.tensor([[[1, 70_001, 2**31]]])
    words[0, 0, 2] = 0
    pix_to_face, zbuf = unpack(words)
    assert pix_to_face.tolist() == [[[0, 70_000, -1]]]
    torch.testing.assert_close(zbuf, torch.tensor([[[250.0, 5000.0, 0.0]]]))


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is there")
def test_no_cuda_device_is_said():
    with pytest.raises(MGCError, match="torch finds none"):
        TritonRasterizer("cuda")


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
class TestCuda:
    def test_agrees_with_the_cpu(self):
        rasterizer = get_rasterizer("triton", "cuda")
        for seed in range(5):
            verts, faces = random_scene(batch=4, count=400, triangles=3000, size=64, seed=seed)
            winner, zbuf = rasterizer(verts.cuda(), faces.cuda(), (64, 64))
            expected, expected_z = get_rasterizer("numba")(verts, faces, (64, 64))
            assert (winner.cpu() == expected).all()
            torch.testing.assert_close(zbuf.cpu(), expected_z, rtol=1e-6, atol=0)

    def test_images_and_gradients_agree_with_the_cpu(self):
        verts, faces = sphere()
        results = []
        for device in ("cpu", "cuda"):
            leaf = verts[None].to(device).requires_grad_()
            pose = torch.tensor([[0.1, 0.3, 3.2, 5.0, -4.0, 5000.0]], device=device, requires_grad=True)
            index = faces.to(device)
            mesh = FaceMesh(leaf, index, vertex_normals(leaf, index), torch.sigmoid(leaf / 20))
            light = torch.linspace(-0.2, 0.9, 27, device=device)[None]
            K = intrinsics(64, device=device)
            rendered = FaceRenderer()(mesh, pose_to_transform(pose), K, light, 64)
            (rendered.image * torch.linspace(-1, 1, 64, device=device)).sum().backward()
            results.append([t.cpu() for t in (rendered.image, rendered.depth, leaf.grad, pose.grad)])
        # Devices round the projection differently, so that a pixel on an edge may change its triangle.
        for got, expected in zip(*results, strict=True):
            assert (got - expected).norm() < 1e-2 * expected.norm()

    def test_cpu_tensors_are_refused(self):
        with pytest.raises(MGCError, match="works on CUDA tensors"):
            get_rasterizer("triton", "cuda")(torch.zeros(1, 3, 3), torch.tensor([[0, 1, 2]]), (4, 4))
