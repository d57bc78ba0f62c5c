"""Time the generation of synthetic triplets beside the network that consumes them.

    python benchmarks/synthetic_data.py                      # 96 px with ResNet-18, 224 px with ResNet-50; 1, 2 threads
    python benchmarks/synthetic_data.py --device cuda --batch-size 32
    python benchmarks/synthetic_data.py --sizes 96 --networks 18x32

Columns, images a second: drawing numbers (always on the CPU, one process), rendering them, both together, and the
network's forward and backward pass on the same images. The last columns say how many times faster generation is: by
the clock, and in CPU seconds, which other programs on the machine disturb less. Both are timed in turns; medians of the
repeats are shown.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from datamodules.synthetic import SyntheticTriplets
from mgc_lightning.encoders import ResNet
from mgc_lightning.encoders.encoder import Encoder


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--sizes", nargs="+", type=int, default=[96, 224])
    parser.add_argument("--networks", nargs="+", default=["18x32", "50x64"], help="depth x width, one a size")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2], help="CPU threads")
    parser.add_argument("--batch-size", type=int, default=4, help="triplets")
    parser.add_argument("--level", type=int, default=0, help="level of detail of the face model")
    parser.add_argument("--repeats", type=int, default=7)
    return parser.parse_args()


def seconds(function: Callable[[], object], device: str) -> tuple[float, float]:
    """Time one call: by the clock, and in seconds of all CPU threads."""
    if device != "cpu":
        torch.cuda.synchronize()
    start, start_cpu = time.perf_counter(), time.process_time()
    function()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - start, time.process_time() - start_cpu


def forward_backward(network: nn.Module, images: Tensor) -> None:
    """Run what a training step does to the network, without losses and optimiser."""
    network.zero_grad(set_to_none=True)
    network(images).square().mean().backward()


def measure(size: int, network_name: str, threads: int, args: argparse.Namespace) -> list[str]:
    """Give one row of the table."""
    torch.set_num_threads(threads)
    depth, width = map(int, network_name.split("x"))
    data = SyntheticTriplets(image_size=size, batch_size=args.batch_size, train_size=10**6, face_model_level=args.level)
    encoder = Encoder(ResNet(depth, width), data.generator.face_model.layout.total).to(args.device)
    loader = iter(data.train_dataloader())
    batches: list[dict[str, Any]] = []

    def draw() -> None:
        batches.append(next(loader))

    def render() -> Tensor:
        moved = {
            name: value.to(args.device) if isinstance(value, Tensor) else value for name, value in batches[-1].items()
        }
        return data.triplets(moved).images.flatten(0, 1)

    draw()
    images = render()
    forward_backward(encoder, images)
    times: dict[str, list[tuple[float, float]]] = {"draw": [], "render": [], "network": []}
    for _ in range(args.repeats):
        times["draw"].append(seconds(draw, "cpu"))
        times["render"].append(seconds(render, args.device))
        times["network"].append(seconds(lambda: forward_backward(encoder, images), args.device))
    (drawing, rendering, network), cpu = (
        [statistics.median(pair[clock] for pair in times[name]) for name in ("draw", "render", "network")]
        for clock in (0, 1)
    )
    count = len(images)
    return [
        str(size),
        str(threads),
        f"{count / drawing:.0f}",
        f"{count / rendering:.0f}",
        f"{count / (drawing + rendering):.0f}",
        f"ResNet-{depth} x {width}",
        f"{count / network:.0f}",
        f"{network / (drawing + rendering):.1f} x",
        f"{cpu[2] / (cpu[0] + cpu[1]):.1f} x" if args.device == "cpu" else "",
    ]


def main() -> None:
    """Print the table."""
    args = parse()
    if len(args.networks) != len(args.sizes):
        raise SystemExit(f"error: give one network a size, got {args.networks} for {args.sizes}")
    name = torch.cuda.get_device_name() if args.device != "cpu" else "CPU"
    table = Table(title=f"Images a second on {name}, {args.batch_size} triplets a batch, level {args.level}")
    for column in (
        "px",
        "threads",
        "draw",
        "render",
        "generate",
        "network",
        "forward+backward",
        "faster by",
        "in CPU time",
    ):
        table.add_column(column, justify="right")
    for size, network in zip(args.sizes, args.networks, strict=True):
        for threads in args.threads:
            table.add_row(*measure(size, network, threads, args))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
