"""Time a full training step beside its encoder's forward and backward pass alone.

    python benchmarks/training_step.py                       # ResNet-50 at 224 px, 4 triplets
    python benchmarks/training_step.py --depth 18 --width 32 --image-size 96

The full step predicts, renders every view, computes all losses, runs backward and the optimiser. Both are timed in
turns in one process, on the same images; the ratio of their medians is what counts.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Callable

import torch

from datamodules import SyntheticTriplets
from mgc_lightning.encoders import ResNet
from mgc_lightning.losses.objective import LossWeights, MGCObjective
from mgc_lightning.structures import FaceTriplet
from mgc_lightning.training.module import MGCModule


def parse() -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--depth", type=int, default=50, choices=(18, 34, 50))
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--batch-size", type=int, default=4, help="triplets")
    parser.add_argument("--level", type=int, default=0, help="level of detail of the face model")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


def full_step(module: MGCModule, optimizer: torch.optim.Optimizer, batch: FaceTriplet) -> None:
    """Run one step as the trainer does."""
    optimizer.zero_grad(set_to_none=True)
    views = module.reconstruct_views(batch)
    module.objective(views, batch).total.backward()
    optimizer.step()


def encoder_alone(module: MGCModule, optimizer: torch.optim.Optimizer, batch: FaceTriplet) -> None:
    """Run the encoder on the same images, and the optimiser."""
    optimizer.zero_grad(set_to_none=True)
    module.network.encoder(batch.images.flatten(0, 1)).sum().backward()
    optimizer.step()


def measure(function: Callable[[], None], device: str) -> tuple[float, float]:
    """Give seconds, and peak memory in MiB (of the device; of the process so far on CPU)."""
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        torch.cuda.synchronize()
    start = time.perf_counter()
    function()
    if device != "cpu":
        torch.cuda.synchronize()
        return time.perf_counter() - start, torch.cuda.max_memory_allocated() / 2**20
    return time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure and print."""
    args = parse()
    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    objective = MGCObjective(LossWeights(identity=0.0, ssim=0.1))
    module = MGCModule(
        ResNet(args.depth, args.width), image_size=args.image_size, face_model_level=args.level, objective=objective
    ).to(args.device)
    data = SyntheticTriplets(image_size=args.image_size, batch_size=args.batch_size, face_model_level=args.level)
    data.generator.to(args.device)
    latents = next(iter(data.train_dataloader()))
    moved = {k: {n: t.to(args.device) for n, t in v.items()} if isinstance(v, dict) else v for k, v in latents.items()}
    batch = data.triplets(moved)
    optimizer = torch.optim.Adam(module.network.parameters(), lr=1e-5)
    steps = {"encoder alone": encoder_alone, "full step": full_step}
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    peak: dict[str, float] = {}
    for repeat in range(args.repeats + 1):
        for name, step in steps.items():
            elapsed, memory = measure(lambda step=step: step(module, optimizer, batch), args.device)
            peak[name] = max(peak.get(name, 0.0), memory) if args.device != "cpu" or repeat else memory
            if repeat:  # the first round compiles and warms up
                seconds[name].append(elapsed)
    images = batch.images.flatten(0, 1).shape[0]
    print(
        f"ResNet-{args.depth} of width {args.width}, {args.image_size} px, {images} images, "
        f"level {args.level}, {args.device}, {args.threads} threads, all losses but identity"
    )
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"{name:14s} {1000 * median:8.0f} ms   {images / median:7.1f} images/s   peak {peak[name]:7.0f} MiB")
    ratios = [full / alone for full, alone in zip(seconds["full step"], seconds["encoder alone"], strict=True)]
    print(f"ratio          {statistics.median(ratios):8.2f}      (from {min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
