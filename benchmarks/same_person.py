"""What several photographs of one person add: the network alone against refinement of one shared identity.

    python benchmarks/same_person.py --checkpoint runs/quickstart/ID/export --people 32

Synthetic people that no training has seen, three views each, landmarks with 1 px of noise: views of one moment and one
light, and of three moments. Neutral error in mm (mean vertex distance over the face mask after similarity alignment)
with the paired difference to the network's single-view prediction and its standard error over people.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor

from mgc_lightning.metrics.shape import vertex_distance
from mgc_lightning.networks.predictor import load_predictor
from mgc_lightning.reconstruction.reconstructor import FaceReconstructor
from mgc_lightning.reconstruction.refinement import refine
from mgc_lightning.reconstruction.same_person import refine_same_person
from mgc_lightning.synthetic.dataset import make_triplets
from mgc_lightning.synthetic.settings import SyntheticSettings


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, help="trained on the embedded face model; that of the package")
    parser.add_argument("--people", type=int, default=32)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--learning-rate", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


def measure(args: argparse.Namespace, linked: bool) -> tuple[dict[str, Tensor], float]:
    """Give each method's neutral error (P,) of every person, mean over the views, and the seconds a photograph."""
    reconstructor = FaceReconstructor(load_predictor(args.checkpoint, device=args.device), device=args.device)
    model = reconstructor.face_model
    world = SyntheticSettings(
        linked=float(linked), unlinked=float(not linked), yaw_limit=50.0, pitch_sigma=4.0, occluders=0.0,
        camera_noise=0.3, alignment_jitter=0.25, landmark_noise=1.0,
    )  # fmt: skip
    methods = {"one identity, refined": False}
    if linked:
        methods["one identity, refined, views compared"] = True
    errors: dict[str, list[Tensor]] = {}
    seconds = 0.0
    for person in track(range(args.people), "one moment" if linked else "three moments", console=Console(stderr=True)):
        batch = make_triplets(
            model.cpu(), [person], image_size=reconstructor.image_size, focal=reconstructor.predictor.focal,
            settings=world, seed=args.seed,
        )  # fmt: skip
        model.to(reconstructor.device)
        images, landmarks = list(batch.images[0]), list(batch.landmarks[0])
        truth = batch.truth.verts_neutral[0].to(reconstructor.device)  # type: ignore[union-attr]

        def error(identity: Tensor, truth: Tensor = truth) -> Tensor:
            return vertex_distance(model.shape(identity), truth, model.face_mask).mean().cpu()

        faces = reconstructor.reconstruct_batch(images, landmarks)
        alone = torch.stack([face.coefficients.identity for face in faces])
        errors.setdefault("mean face", []).append(error(torch.zeros_like(alone)))
        errors.setdefault("network, each photograph alone", []).append(error(alone))
        errors.setdefault("network, mean identity", []).append(error(alone.mean(0, keepdim=True).expand_as(alone)))
        each = refine(reconstructor, faces)
        errors.setdefault("each photograph refined", []).append(
            error(torch.stack([face.coefficients.identity for face in each]))
        )
        for name, moment in methods.items():
            start = time.perf_counter()
            refined = refine_same_person(
                reconstructor, images, landmarks, one_moment=moment, steps=args.steps,
                learning_rate=args.learning_rate,
            )  # fmt: skip
            seconds = (time.perf_counter() - start) / len(images)
            errors.setdefault(name, []).append(error(torch.stack([face.coefficients.identity for face in refined])))
    return {name: torch.stack(values) for name, values in errors.items()}, seconds


def main() -> None:
    """Print the tables."""
    args = parse()
    for linked in (True, False):
        errors, seconds = measure(args, linked)
        kind = "one moment and light" if linked else "three moments"
        table = Table(title=f"{kind}, {args.people} people, {args.steps} steps, {seconds:.1f} s a photograph")
        for column in ("method", "neutral mm", "against the network alone"):
            table.add_column(column, justify="left" if column == "method" else "right")
        base = errors["network, each photograph alone"]
        for name, values in errors.items():
            difference = values - base
            change = 100 * difference.mean() / base.mean()
            error = difference.std() / len(values) ** 0.5
            table.add_row(name, f"{values.mean():.3f}", f"{difference.mean():+.3f} +- {error:.3f} ({change:+.1f} %)")
        Console(width=100).print(table)


if __name__ == "__main__":
    main()
