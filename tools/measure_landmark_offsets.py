"""Measure how a detector's 68 points differ from iBUG's, and write that into the table which its points pass.

    python -m tools.measure_landmark_offsets render FOLDER --count 300
    python -m tools.measure_landmark_offsets measure mediapipe --photographs FOLDER ... --renders FOLDER ...

Each FOLDER holds pictures of one face and, by their stems, files of its 68 points in iBUG's convention: annotated
photographs, photographs with the points of a detector that was trained on such annotations, or the pictures of random
people that `render` draws, whose points are the embedded head's own. Frontal pictures count. Photographs and renders
count alike, but for brows, which renders have painted: these are measured on photographs.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from mgc_lightning.face_models import FaceModel, load_face_model
from mgc_lightning.face_models.landmark_proportions import frontal_frame
from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.geometry.camera import project
from mgc_lightning.geometry.mesh import vertex_normals
from mgc_lightning.geometry.pose import pose_to_transform, transform_points
from mgc_lightning.photographs.conventions import OFFSET_DATA, face_axes
from mgc_lightning.photographs.crop import CROP_SIZE, five_points, similarity_to_template, transform_points2d
from mgc_lightning.photographs.detection import FaceDetector
from mgc_lightning.photographs.detectors import make_detector
from mgc_lightning.photographs.head_pose import head_pose, yaw_degrees
from mgc_lightning.photographs.landmark_files import SUFFIXES, read_landmarks
from mgc_lightning.photographs.photos import read_photo
from mgc_lightning.photographs.settings import DetectorName
from mgc_lightning.rendering.renderer import FaceRenderer
from mgc_lightning.structures import FaceMesh
from mgc_lightning.synthetic.expression import ExpressionSampler
from mgc_lightning.synthetic.light import ambient_harmonics, directional_harmonics
from mgc_lightning.synthetic.skin import SkinSampler
from mgc_lightning.triplets.augmentation import MIRRORED

FRONTAL = 10.0
"""Yaw in degrees up to which a picture counts."""
BROWS = slice(17, 27)
FARTHEST = 0.15
"""Mean distance from the given points, in outer-eye distances, beyond which a detected face is another one."""
SIZE, DISTANCE, FOCAL = 480, 700.0, 1300.0
"""Renders: side in px, distance in mm, focal length in px."""


def main() -> None:
    """Render, or measure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    render = commands.add_parser("render")
    render.add_argument("folder", type=Path)
    render.add_argument("--count", type=int, default=300)
    measure = commands.add_parser("measure")
    measure.add_argument("detector", choices=get_args(DetectorName))
    measure.add_argument("--photographs", type=Path, nargs="+", default=[])
    measure.add_argument("--renders", type=Path, nargs="+", default=[])
    measure.add_argument("--weights", type=Path, nargs="+", default=[], help="the detector's weights")
    args = parser.parse_args()
    if args.command == "render":
        render_people(args.folder, args.count)
    else:
        detector = make_detector(args.detector, weights=args.weights)
        write_offsets(args.detector, args.photographs, args.renders, detector)


def write_offsets(name: str, photographs: list[Path], renders: list[Path], detector: FaceDetector) -> None:
    """Measure on folders of pictures, and write the detector's row of the table."""
    model = load_face_model()
    content = json.loads(OFFSET_DATA.read_text(encoding="utf-8"))
    content["frontal"] = frontal_frame(model.landmarks68(model.mean).numpy()).round(2).tolist()
    # What measures reads the frontal face from the table.
    write_table(content)
    found, pictures = [], {}
    for kind, folders in (("photographs", photographs), ("renders", renders)):
        each = [np.stack(list(differences(folder, detector, model))) for folder in folders]
        pictures[kind] = sum(len(values) for values in each)
        if each:
            found.append(np.mean([symmetric(np.median(values, axis=0)) for values in each], axis=0))
            print(f"{pictures[kind]} {kind}, frontal: points 17-67 are {_size(found[-1]):.1f} % off")
    offsets = np.mean(found, axis=0)
    offsets[BROWS] = found[0][BROWS]
    for kind_offsets in found:
        print(f"    with the table's offsets {_size(kind_offsets - offsets):.1f} %")
    row = content["conventions"].setdefault(name, {"jaw": "3d"})
    row |= {"pictures": pictures, "offsets": offsets.round(1).tolist()}
    write_table(content)


def differences(folder: Path, detector: FaceDetector, model: FaceModel) -> Iterator[Float[NDArray, "68 2"]]:
    """Give detected minus given points of each frontal picture, in % of the outer-eye distance on a frontal face."""
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() not in SUFFIXES:
            continue
        picture = next((p for p in sorted(folder.glob(f"{file.stem}.*")) if p.suffix.lower() not in SUFFIXES), None)
        given = read_landmarks(file)
        if picture is None or len(given) != 68 or abs(yaw_of(given, model)) > FRONTAL:
            continue
        width = float((given[45] - given[36]).norm())
        faces = [face.landmarks for face in detector.detect(read_photo(picture), picture)]
        near = min(faces, key=lambda points: float((points - given).norm(dim=1).mean()), default=None)
        if near is not None and float((near - given)[17:].norm(dim=1).mean()) < FARTHEST * width:
            yield torch.linalg.solve(face_axes(given), (near - given).mT).mT.numpy()


def yaw_of(points: Float[Tensor, "68 2"], model: FaceModel) -> float:
    """Give the yaw of a face in degrees, by its points."""
    crop = transform_points2d(similarity_to_template(five_points(points)), points)
    return float(yaw_degrees(head_pose(model, crop, CROP_SIZE)))


def symmetric(offsets: Float[NDArray, "68 2"]) -> Float[NDArray, "68 2"]:
    """Average offsets with their mirror image: people have no side."""
    return (offsets + offsets[MIRRORED] * [-1, 1]) / 2


def write_table(content: dict) -> None:
    """Write the table, two numbers a point."""
    with atomic_path(OFFSET_DATA) as temporary:
        text = json.dumps(content, indent=1, ensure_ascii=False)
        text = re.sub(r"\[\s+(-?[\d.]+),\s+(-?[\d.]+)\s+\]", r"[\1, \2]", text)
        temporary.write_text(text + "\n", encoding="utf-8")


def render_people(folder: Path, count: int, seed: int = 0) -> None:
    """Draw random people of the embedded head, near frontal, with their points: pictures and `.npy` files."""
    folder.mkdir(parents=True, exist_ok=True)
    model, rng = load_face_model(level=1), np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    skin = SkinSampler(model)
    albedos = skin.albedo(skin.sample_latents(generator, count))
    expressions = ExpressionSampler(model.expression_names, model.expression_sigma).draw(generator, count)
    identities = torch.randn(count, model.layout.identity, generator=generator)
    K = torch.tensor([[FOCAL, 0, SIZE / 2], [0, FOCAL, SIZE / 2], [0, 0, 1.0]])
    renderer, faces = FaceRenderer("numba"), model.faces_without("teeth")
    for number in range(count):
        one = slice(number, number + 1)
        verts = model.shape(identities[one], expressions[one] * float(rng.random() < 0.5))
        mesh = FaceMesh(verts, model.faces, vertex_normals(verts, model.faces), albedos[one])
        pitch, yaw = rng.normal(0, 6), rng.uniform(-12, 12)
        pose = torch.tensor([[0.0, np.deg2rad(yaw), np.pi + np.deg2rad(pitch), 0.0, 8.0, DISTANCE]]).float()
        T_cam_model = pose_to_transform(pose)
        picture = renderer(mesh, T_cam_model, K, _light(rng), SIZE, faces=faces)
        image = torch.lerp(torch.full_like(picture.image, 0.6), picture.image.clamp(0, 1), picture.mask)
        pixels = (image[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        points = project(transform_points(T_cam_model, model.landmarks68(verts)), K)
        np.save(folder / f"{number}.npy", points[0].numpy())


def _light(rng: np.random.Generator) -> Float[Tensor, "1 27"]:
    direction = np.array([rng.normal(0, 0.6), rng.uniform(0.2, 1.2), 0.8])
    harmonics = 0.5 * ambient_harmonics() + 0.8 * directional_harmonics(direction / np.linalg.norm(direction))
    return torch.tensor(np.tile(harmonics, 3), dtype=torch.float32)[None]


def _size(offsets: Float[NDArray, "68 2"]) -> float:
    return float(np.sqrt((offsets[17:] ** 2).sum(axis=1).mean()))


if __name__ == "__main__":
    main()
