"""What the multi-view losses can tell about a face: coefficients fitted directly, without a network.

    python benchmarks/loss_limit.py --triplets 32 --focal 1000 4700

Every setting starts from the same fit to the landmarks and takes the same steps, on the same unseen synthetic
triplets. The table gives means with standard errors over the triplets, and the paired difference to the
single-view fit: neutral shape of the target view (mm, mean vertex distance over the face mask after similarity
alignment, identity alone) and its rotation (degrees).
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from datamodules.synthetic import SyntheticTriplets
from mgc_lightning.coefficients import FaceCoefficients
from mgc_lightning.face_models import FaceModel, load_face_model
from mgc_lightning.files.text import write_json
from mgc_lightning.fitting import fit, fit_landmarks2d, initial_coefficients
from mgc_lightning.geometry.alignment import apply_similarity, similarity_fit
from mgc_lightning.geometry.pose import pose_to_transform, rotation_error
from mgc_lightning.losses.objective import LossWeights, MGCObjective
from mgc_lightning.rendering.renderer import FaceRenderer
from mgc_lightning.structures import FaceTriplet
from mgc_lightning.synthetic.settings import SyntheticSettings

SINGLE_VIEW = LossWeights(
    photometric=1.9,
    landmark=5e-3,
    identity=0.0,
    prior_identity=2.5e-4,
    prior_expression=8e-4,
    prior_albedo=1e-3,
    pixel=0.0,
    depth=0.0,
    epipolar=0.0,
)
"""The single-view part of every setting; landmarks and priors are those that serve the single-view fit best."""
SETTINGS: dict[str, dict[str, float]] = {
    "single view": {},
    "official weights": {"pixel": 0.15, "depth": 1e-4, "epipolar": 1e-3},
    "pixel alone": {"pixel": 3.0},
    "depth alone": {"depth": 1e-2},
    "epipolar alone": {"epipolar": 2e-2},
    "best mix": {"pixel": 3.0, "depth": 1e-2, "epipolar": 2e-2},
}


@dataclass
class Row:
    """Hold one setting's errors of the target views.

    Attributes:
        name: of the setting.
        neutral: (T,) mm.
        rotation: (T,) degrees; NaN where there is no pose.
        seconds: of all fits.
    """

    name: str
    neutral: Tensor
    rotation: Tensor
    seconds: float = 0.0


def make_triplets(count: int, image_size: int, focal: float, seed: int, settings: SyntheticSettings) -> FaceTriplet:
    """Render linked triplets of the test identities."""
    data = SyntheticTriplets(
        image_size=image_size, focal=focal, batch_size=count, test_size=count, seed=seed, settings=settings
    )
    return data.triplets(next(iter(data.test_dataloader())))


def errors(face_model: FaceModel, coefficients: FaceCoefficients, batch: FaceTriplet) -> tuple[Tensor, Tensor]:
    """Measure the neutral shape in mm and the rotation in degrees, of the target views."""
    assert batch.truth is not None
    mask = face_model.face_mask
    predicted = face_model.shape(coefficients.identity[:, 0])[:, mask]
    true = batch.truth.verts_neutral[:, 0][:, mask]
    aligned = apply_similarity(predicted, *similarity_fit(predicted, true))
    R = pose_to_transform(coefficients.pose[:, 0])[:, :3, :3]
    return (aligned - true).norm(dim=-1).mean(-1), rotation_error(R, batch.truth.T_cam_model[:, 0, :3, :3])


def start_of(face_model: FaceModel, batch: FaceTriplet, base: LossWeights) -> FaceCoefficients:
    """Fit the landmarks alone: where every setting starts."""
    return fit_landmarks2d(
        face_model,
        batch.landmarks,
        batch.K,
        batch.images.shape[-1],
        MGCObjective(base).landmark_weights,
        base.prior_identity / base.landmark,
        base.prior_expression / base.landmark,
    )


def measure(
    batch: FaceTriplet,
    face_model: FaceModel,
    settings: dict[str, dict[str, float]] = SETTINGS,
    base: LossWeights = SINGLE_VIEW,
    steps: int = 150,
    learning_rate: float = 0.1,
    chunk: int = 4,
) -> list[Row]:
    """Fit the triplets with every setting, `chunk` triplets at a time."""
    chunks = [batch.rows(slice(i, i + chunk)) for i in range(0, len(batch.link), chunk)]
    starts = [start_of(face_model, part, base) for part in chunks]
    means = [initial_coefficients(face_model, part.K, part.images.shape[-1]) for part in chunks]
    rows = [_row("mean face", face_model, means, chunks), _row("landmarks alone", face_model, starts, chunks)]
    rows[0].rotation = rows[0].rotation * torch.nan
    for name, multi_view in settings.items():
        began = time.perf_counter()
        objective = MGCObjective(replace(base, **multi_view))
        found = [
            fit(
                face_model, FaceRenderer(), objective, part, start, steps=steps, learning_rate=learning_rate
            ).coefficients
            for part, start in zip(chunks, starts, strict=True)
        ]
        rows.append(_row(name, face_model, found, chunks))
        rows[-1].seconds = time.perf_counter() - began
        print(f"  {name}: {rows[-1].neutral.mean():.3f} mm, {rows[-1].seconds:.0f} s", file=sys.stderr, flush=True)
    return rows


def _row(name: str, face_model: FaceModel, found: list[FaceCoefficients], chunks: list[FaceTriplet]) -> Row:
    pairs = [errors(face_model, c, part) for c, part in zip(found, chunks, strict=True)]
    return Row(name, torch.cat([pair[0] for pair in pairs]), torch.cat([pair[1] for pair in pairs]))


def standard_error(values: Tensor) -> float:
    """Give the standard error of the mean."""
    return float(values.std() / len(values) ** 0.5)


def summarise(rows: list[Row]) -> list[dict[str, float | str]]:
    """Give means, standard errors and the paired difference to the single-view fit."""
    single = next(row for row in rows if row.name == "single view")
    table = []
    for row in rows:
        difference = row.neutral - single.neutral
        table.append(
            {
                "setting": row.name,
                "neutral_mm": float(row.neutral.mean()),
                "neutral_se": standard_error(row.neutral),
                "difference_mm": float(difference.mean()),
                "difference_se": standard_error(difference),
                "change_percent": 100 * float(difference.mean() / single.neutral.mean()),
                "rotation_deg": float(row.rotation.mean()),
                "rotation_se": standard_error(row.rotation),
                "seconds": row.seconds,
            }
        )
    return table


def print_table(table: list[dict[str, float | str]], title: str) -> None:
    """Print a table for people."""
    print(f"\n{title}")
    print(f"{'setting':<18}{'neutral mm':>16}{'against single view':>28}{'rotation deg':>16}{'s':>6}")
    for row in table:
        neutral = f"{row['neutral_mm']:.3f} +- {row['neutral_se']:.3f}"
        change = f"{row['difference_mm']:+.3f} +- {row['difference_se']:.3f} ({row['change_percent']:+.1f} %)"
        rotation = f"{row['rotation_deg']:.2f} +- {row['rotation_se']:.2f}"
        print(f"{row['setting']:<18}{neutral:>16}{change:>28}{rotation:>16}{row['seconds']:>6.0f}")


def main() -> None:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--triplets", type=int, default=32, help="how many triplets (default: 32)")
    parser.add_argument("--steps", type=int, default=150, help="Adam steps of each fit (default: 150)")
    parser.add_argument("--image-size", type=int, default=80, help="side of the images in px (default: 80)")
    parser.add_argument("--focal", type=float, nargs="+", default=[1000.0, 4700.0], help="px at 224 px")
    parser.add_argument("--seed", type=int, default=0, help="of the triplets")
    parser.add_argument("--learning-rate", type=float, default=0.1, help="of Adam (default: .1)")
    parser.add_argument("--landmark-noise", type=float, default=1.0, help="px at 224 px (default: 1)")
    parser.add_argument("--camera-noise", type=float, default=0.0, help="0 none (default), 1 a phone's")
    parser.add_argument("--occluders", type=float, default=0.0, help="share of occluded views (default: 0)")
    parser.add_argument("--settings", nargs="+", choices=list(SETTINGS), default=list(SETTINGS))
    parser.add_argument("--output", type=Path, help="write the figures to this JSON file")
    args = parser.parse_args()
    face_model = load_face_model()
    world = SyntheticSettings(
        linked=1.0,
        unlinked=0.0,
        occluders=args.occluders,
        camera_noise=args.camera_noise,
        landmark_noise=args.landmark_noise,
    )
    figures = {}
    for focal in args.focal:
        batch = make_triplets(args.triplets, args.image_size, focal, args.seed, world)
        settings = {name: SETTINGS[name] for name in SETTINGS if name in args.settings or name == "single view"}
        rows = measure(batch, face_model, settings, SINGLE_VIEW, args.steps, args.learning_rate)
        figures[f"{focal:g}"] = summarise(rows)
        print_table(figures[f"{focal:g}"], f"f = {focal:g} px, {args.triplets} triplets, {args.image_size} px")
    if args.output:
        write_json(args.output, {"base": asdict(SINGLE_VIEW), "settings": SETTINGS, "figures": figures})


if __name__ == "__main__":
    main()
