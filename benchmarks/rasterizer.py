"""Time every rasterizer that works here, alone and inside the renderer with its gradient.

    python benchmarks/rasterizer.py                          # 8k and 32k triangles, batch 1 and 8, 224 px, one thread
    python benchmarks/rasterizer.py --device cuda
    python benchmarks/rasterizer.py --backends numba pytorch3d --repeats 3

Columns, per image: the visibility kernel; the renderer's forward pass (colours and depth); forward and backward pass
to vertices, colours and pose. "x PyTorch3D" is the kernel's speed relative to PyTorch3D's, where that imports. The
median of the repeats is shown, in brackets the fastest. Memory is the peak during forward and backward above what was
there before: of the device on CUDA, of the process on Linux.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from mgc_lightning.face_models import load_face_model
from mgc_lightning.geometry.camera import intrinsics, project
from mgc_lightning.geometry.mesh import vertex_normals
from mgc_lightning.geometry.pose import pose_to_transform, transform_points
from mgc_lightning.rendering.rasterizers import BACKENDS, available_rasterizers, get_rasterizer
from mgc_lightning.rendering.renderer import FaceRenderer
from mgc_lightning.structures import FaceMesh

LEVELS = {"8k": 0, "32k": 1}


@dataclass
class Timing:
    """Milliseconds an image: median and fastest."""

    median: float
    fastest: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.fastest:.2f})"


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, help="default: all that work")
    parser.add_argument("--meshes", nargs="+", choices=tuple(LEVELS), default=tuple(LEVELS))
    parser.add_argument("--batch-sizes", nargs="+", type=int, default=(1, 8))
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20.0, help="per measurement at most, after the first run")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    return parser.parse_args()


def scene(mesh: str, batch: int, device: str) -> tuple[FaceMesh, torch.Tensor]:
    """Heads of +-30 degrees of yaw that fill the image."""
    model = load_face_model("makehuman", level=LEVELS[mesh]).to(device)
    verts = model.mean.expand(batch, -1, -1).clone()
    pose = model.main_pose.repeat(batch, 1)
    pose[:, 1] = torch.linspace(-0.52, 0.52, batch, device=device) if batch > 1 else 0.2
    albedo = model.albedo_mean.expand(batch, -1, -1).clone()
    return FaceMesh(verts, model.faces, vertex_normals(verts, model.faces), albedo), pose


def timed(function: Callable[[], object], images: int, args: argparse.Namespace) -> Timing:
    """Run once to compile, then repeatedly."""
    synchronize = torch.cuda.synchronize if args.device.startswith("cuda") else lambda: None
    function()
    synchronize()
    times: list[float] = []
    deadline = time.perf_counter() + args.seconds
    while len(times) < args.repeats and (not times or time.perf_counter() < deadline):
        start = time.perf_counter()
        function()
        synchronize()
        times.append(1000 * (time.perf_counter() - start) / images)
    return Timing(statistics.median(times), min(times))


def peak_memory(function: Callable[[], object], device: str) -> float | None:
    """Give the MiB that a call needs at its peak above what is held before it; None where that is not known."""
    gc.collect()
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        function()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    clear = Path("/proc/self/clear_refs")
    if platform.libc_ver()[0] != "glibc" or not clear.exists():
        return None
    ctypes.CDLL(None).malloc_trim(0)  # what the allocator keeps would hide what the call takes
    clear.write_text("5")  # sets the peak to the present size
    before = _status("VmRSS")
    function()
    return _status("VmHWM") - before


def _status(key: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) / 1024
    return 0.0


def measure(backend: str, mesh: str, batch: int, args: argparse.Namespace) -> tuple[list[Timing], float | None]:
    """Time the kernel, the forward pass, forward and backward; give the peak memory of the last."""
    faces, pose = scene(mesh, batch, args.device)
    K = intrinsics(args.image_size, device=args.device)
    size = (args.image_size, args.image_size)
    rasterizer = get_rasterizer(backend, args.device)
    camera = transform_points(pose_to_transform(pose), faces.verts)
    screen = torch.cat([project(camera, K), camera[..., 2:]], dim=-1)
    renderer = FaceRenderer(backend)
    light = torch.zeros(batch, 27, device=args.device)
    light[:, ::9] = 0.8
    for leaf in (faces.verts, faces.albedo, pose):
        leaf.requires_grad_()

    def forward() -> torch.Tensor:
        rendered = renderer(faces, pose_to_transform(pose), K, light, args.image_size)
        return rendered.image.sum() + rendered.depth.sum()

    def forward_and_backward() -> None:
        forward().backward()

    timings = [timed(lambda: rasterizer(screen, faces.faces, size), batch, args)]
    timings += [timed(forward, batch, args), timed(forward_and_backward, batch, args)]
    return timings, peak_memory(forward_and_backward, args.device)


def main() -> None:
    """Measure and print the table."""
    args = parse()
    torch.set_num_threads(args.threads)
    console = Console(width=None if sys.stdout.isatty() else 120)
    reasons = available_rasterizers(args.device)
    backends = [name for name in args.backends or BACKENDS if reasons[name] is None]
    for name in args.backends or BACKENDS:
        if reasons[name] is not None:
            console.print(f"left out: {reasons[name]}", highlight=False)
    # First, so that the others can be compared with it.
    backends.sort(key=lambda name: name != "pytorch3d")

    where = torch.cuda.get_device_name() if args.device.startswith("cuda") else f"{args.threads} CPU thread(s)"
    table = Table(title=f"ms per image at {args.image_size}x{args.image_size}, {where}: median (fastest)")
    for column in (
        "triangles",
        "batch",
        "backend",
        "kernel",
        "forward",
        "forward + backward",
        "x PyTorch3D",
        "peak MiB",
    ):
        table.add_column(column, justify="left" if column == "backend" else "right")
    for mesh in args.meshes:
        for batch in args.batch_sizes:
            baseline: float | None = None
            for backend in backends:
                (kernel, forward, both), memory = measure(backend, mesh, batch, args)
                baseline = kernel.median if backend == "pytorch3d" else baseline
                ratio = f"{baseline / kernel.median:.0f}" if baseline else "-"
                peak = "-" if memory is None else f"{memory:.0f}"
                table.add_row(mesh, str(batch), backend, str(kernel), str(forward), str(both), ratio, peak)
        table.add_section()
    console.print(table)


if __name__ == "__main__":
    main()
