"""Time the reading of prepared triplets beside the training step that consumes them.

    python benchmarks/data.py                                  # 224 px, ResNet-50, loaders with 0, 1 and 2 processes
    python benchmarks/data.py --set DIR --batch-size 5         # your own set instead of a rendered one

Samples (triplets) a second: reading and decoding shards, with the augmentation of the batch on the device, and the
forward and backward pass of the encoder on the same batches, which is less than a whole training step. The last column
says how many times faster the data come.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import time
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from datamodules.triplets import TripletDataModule
from mgc_lightning.encoders import ResNet
from mgc_lightning.encoders.encoder import Encoder
from mgc_lightning.face_models import load_face_model
from mgc_lightning.synthetic.dataset import make_triplets
from mgc_lightning.triplets.samples import ViewFiles, encode_jpeg, sample_files
from mgc_lightning.triplets.shards import write_shard


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", type=Path, help="folder of a set; a rendered one if not given")
    parser.add_argument("--samples", type=int, default=60, help="of the rendered set")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--depth", type=int, default=50, help="of the ResNet")
    parser.add_argument("--batch-size", type=int, default=5)
    parser.add_argument("--batches", type=int, default=40)
    parser.add_argument("--steps", type=int, default=3, help="of the encoder")
    parser.add_argument("--workers", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


def render_set(folder: Path, samples: int, size: int) -> None:
    """Write a set of rendered faces."""
    model = load_face_model()
    files = []
    for start in range(0, samples, 10):
        batch = make_triplets(model, range(start, min(start + 10, samples)), image_size=size)
        for i, name in enumerate(batch.sample_id):
            views = [
                ViewFiles(
                    encode_jpeg(batch.images[i, v], 95),
                    encode_jpeg(batch.skin[i, v], 90),
                    {"name": name, "landmarks": batch.landmarks[i, v].tolist()},
                )
                for v in range(3)
            ]
            files.append(sample_files(views, int(batch.link[i]), f"train-{start + i:06d}", batch.persons()[i].tolist()))
    entry = write_shard(folder / "train-000000.tar", files)
    manifest = {"format": 1, "program": "benchmark", "size": size, "splits": {"train": [entry], "val": []}}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def samples_per_second(data: TripletDataModule, batches: int, device: str) -> float:
    """Time loading and augmenting; the start of the processes is left out."""
    loader = data.train_dataloader()
    endless = itertools.chain.from_iterable(iter(loader) for _ in itertools.count())
    for _ in range(2):
        next(endless)
    start = time.perf_counter()
    for _ in range(batches):
        batch = data.transfer_batch_to_device(next(endless), torch.device(device), 0)
        data.triplets(batch)
    if device != "cpu":
        torch.cuda.synchronize()
    return batches * data.batch_size / (time.perf_counter() - start)


def consumed_per_second(data: TripletDataModule, depth: int, steps: int, device: str) -> float:
    """Time forward and backward of the encoder."""
    encoder = Encoder(ResNet(depth), load_face_model().layout.total).to(device)
    images = torch.rand(3 * data.batch_size, 3, data.image_size, data.image_size, device=device)
    times = []
    for _ in range(steps + 1):
        start = time.perf_counter()
        encoder(images).square().mean().backward()
        if device != "cpu":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return data.batch_size / min(times[1:])


def main() -> None:
    """Print the table."""
    args = parse()
    table = Table(title=f"Triplets a second, {args.size} px, batches of {args.batch_size}, {args.device}")
    for column in ("processes", "augmented", "data", f"ResNet-{args.depth}", "faster by"):
        table.add_column(column, justify="right")
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.set or Path(temporary)
        if args.set is None:
            render_set(folder, args.samples, args.size)
        consumed = None
        for workers, augment in itertools.product(args.workers, (False, True)):
            data = TripletDataModule(
                str(folder), args.size, batch_size=args.batch_size, num_workers=workers, augment=augment
            )
            consumed = consumed or consumed_per_second(data, args.depth, args.steps, args.device)
            rate = samples_per_second(data, args.batches, args.device)
            table.add_row(str(workers), str(augment), f"{rate:.0f}", f"{consumed:.1f}", f"{rate / consumed:.1f} x")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
