"""Show the same code with several face models: mean, landmarks, random faces, a fit to the same photograph.

    python benchmarks/face_models.py --models makehuman ict --output face_models.png

prints for each model its size and how well a direct fit explains one synthetic photograph (seconds, landmark
error in px, mean colour residual), and draws one row a model.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mgc_lightning.coefficients import FaceCoefficients
from mgc_lightning.face_models import FaceModel, load_face_model
from mgc_lightning.fitting.objective_fit import fit
from mgc_lightning.geometry.camera import intrinsics, project
from mgc_lightning.geometry.pose import pose_to_transform, transform_points
from mgc_lightning.losses.objective import MGCObjective
from mgc_lightning.pictures.drawing import Picture, overlay, save_png, to_picture
from mgc_lightning.pictures.figures import draw_face
from mgc_lightning.pictures.landmarks import draw_landmarks
from mgc_lightning.pictures.sheets import label, sheet
from mgc_lightning.rendering.renderer import FaceRenderer
from mgc_lightning.structures import FaceTriplet
from mgc_lightning.synthetic.dataset import make_triplets

YAW = 0.6
DISTANCE = 1.35
"""Figures stand a little farther than crops, so that heads fit."""


def figure(
    model: FaceModel, renderer: FaceRenderer, coefficients: FaceCoefficients, size: int, yaw: float, style: str
) -> Picture:
    """Draw one face, with its landmarks on the grey style."""
    pose = coefficients.pose.clone()
    pose[:, 1] += yaw
    pose[:, 5] *= DISTANCE
    mesh, T, K = model(coefficients), pose_to_transform(pose), intrinsics(size)
    drawn = draw_face(renderer, mesh, T, K, size, style, light=coefficients.light)
    picture = to_picture((drawn.image * drawn.alpha + 1 - drawn.alpha)[0])
    if style != "geometry":
        return picture
    points = project(transform_points(T, model.landmarks68(mesh.verts)), K)
    return draw_landmarks(picture, points[0])


def random_face(model: FaceModel, seed: int) -> FaceCoefficients:
    """Draw identity and albedo from the prior, and expressions of half its size."""
    generator = torch.Generator().manual_seed(seed)

    def normal(like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=generator)

    mean = model.mean_coefficients(1)
    return replace(
        mean,
        identity=0.8 * normal(mean.identity),
        albedo=0.8 * normal(mean.albedo),
        expression=0.5 * model.expression_sigma * normal(mean.expression),
    )


def fit_photograph(
    model: FaceModel, renderer: FaceRenderer, batch: FaceTriplet, steps: int
) -> tuple[Picture, Picture, str]:
    """Fit one view; give the overlay, the shape, and a line of figures."""
    begun = time.perf_counter()
    result = fit(model, renderer, MGCObjective(), batch, steps=steps)
    seconds = time.perf_counter() - begun
    rendered, image = result.views.rendered, batch.images[:, 0]
    distance = (result.views.landmarks - batch.landmarks).norm(dim=-1).mean()
    residual = ((rendered.image - image).abs() * rendered.mask).sum() / (3 * rendered.mask.sum())
    laid = overlay(to_picture(image[0]), rendered.image[0].clamp(0, 1), rendered.mask[0])
    first = result.coefficients.map(lambda group: group[:, 0].detach())
    size = image.shape[-1]
    shape = draw_face(renderer, model(first), pose_to_transform(first.pose), batch.K[:, 0], size, "geometry")
    over = to_picture((shape.image * shape.alpha + image * (1 - shape.alpha))[0])
    return laid, over, f"{seconds:6.1f} s  {float(distance):6.2f} px  {float(residual):.4f}"


def row(model: FaceModel, renderer: FaceRenderer, batch: FaceTriplet, size: int, steps: int) -> list[Picture]:
    """Make one model's pictures and print its line."""
    mean = model.mean_coefficients(1)
    pictures = [
        figure(model, renderer, mean, size, 0.0, "geometry"),
        figure(model, renderer, mean, size, YAW, "geometry"),
        figure(model, renderer, random_face(model, 1), size, 0.0, "lit"),
        figure(model, renderer, random_face(model, 2), size, -YAW, "lit"),
    ]
    laid, over, figures = fit_photograph(model, renderer, batch, steps)
    print(f"{model.name:16s} {model.num_verts:7d} {len(model.faces):7d} {model.layout.total:5d}  {figures}")
    return [label(pictures[0], model.name), *pictures[1:], to_picture(batch.images[0, 0]), laid, over]


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["makehuman"], help="names or files")
    parser.add_argument("--output", type=Path, default=Path("face_models.png"))
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--steps", type=int, default=150)
    args = parser.parse_args()
    renderer = FaceRenderer()
    batch = make_triplets(load_face_model(), [3], image_size=args.size, views=1)
    print(f"{'model':16s} {'verts':>7s} {'faces':>7s} {'coef':>5s}  fit of one photograph")
    pictures = [row(load_face_model(name), renderer, batch, args.size, args.steps) for name in args.models]
    save_png(args.output, sheet(pictures))
    print(f"Wrote {args.output}")


if __name__ == "__main__":
    main()
