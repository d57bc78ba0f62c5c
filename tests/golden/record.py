"""Record the golden set: `python tests/golden/record.py` the numbers, `--inputs` the inputs as well.

Numbers change only with a reason: look at the difference of `numbers.json`, and say in the commit why it is right.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from golden_scores import FOLDER, PARTS, SCORES, read_inputs
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from mgc_lightning.evaluation.realy.topology import topology_of
from mgc_lightning.face_models import FaceModel, load_face_model
from mgc_lightning.fitting import fit_landmarks2d
from mgc_lightning.metrics.realy import REGIONS
from mgc_lightning.synthetic import SyntheticSettings, make_triplets
from mgc_lightning.synthetic.realy_regions import cut_regions
from mgc_lightning.synthetic.scanner import ScannerSettings, scan_head

SUBJECTS = (1, 2)
MIRRORED = [3, 2, 1, 0, 4, 6, 5]
"""The seven landmarks with right and left exchanged."""

Arrays = dict[str, NDArray[Any]]


def make_now(model: FaceModel, rng: np.random.Generator) -> Arrays:
    """Scan two people; predict them with the truth, the mean face, a smile, another unit, exchanged landmarks."""
    inputs: Arrays = {"faces": model.faces.numpy().astype(np.uint16)}
    for subject in SUBJECTS:
        verts = person(model, rng)
        points = model.landmarks7(verts).double().numpy() + rng.normal(0, 0.3, (7, 3))
        scan = scan_head(verts.double().numpy(), outside(model), rng, ScannerSettings(spacing=2.6, half_angle=80.0))
        R, t = Rotation.from_euler("xyz", rng.normal(0, 6, 3), degrees=True).as_matrix(), rng.uniform(-60, 60, 3)
        inputs[f"scan_{subject}/verts"] = (scan.verts @ R.T + t).astype(np.float32)
        inputs[f"scan_{subject}/landmarks"] = (points @ R.T + t).astype(np.float32)
        smile = model.shape(identity_of(model, rng), expression_of(model, rng))
        for name, predicted in (("truth", verts), ("mean_face", model.mean), ("other_smiling", smile)):
            inputs |= prediction(f"{subject}/{name}", subject, predicted, model)
    metres = prediction("2/mean_face_in_metres", 2, model.mean / 1000, model)
    inputs |= metres | {"2/mean_face_in_metres/unit": np.array("m")}
    swapped = prediction("1/landmarks_exchanged", 1, model.mean, model)
    swapped["1/landmarks_exchanged/landmarks"] = swapped["1/landmarks_exchanged/landmarks"][MIRRORED]
    return inputs | swapped


def prediction(case: str, subject: int, verts: torch.Tensor, model: FaceModel) -> Arrays:
    """Give one prediction for NoW with its seven landmarks."""
    return {
        f"{case}/subject": np.array(subject),
        f"{case}/unit": np.array(""),
        f"{case}/verts": verts.numpy().astype(np.float32),
        f"{case}/landmarks": model.landmarks7(verts).numpy().astype(np.float32),
    }


def make_realy(model: FaceModel, rng: np.random.Generator) -> Arrays:
    """Cut two scans into REALY's regions; predict them with the truth, the mean face and a smile."""
    topology = topology_of(model)
    inputs: Arrays = {
        "topology/faces": topology.faces.astype(np.uint16),
        "topology/triangles": topology.triangles.astype(np.uint16),
        "topology/weights": topology.weights,
    }
    for subject in SUBJECTS:
        verts = person(model, rng)
        scan = scan_head(verts.double().numpy(), outside(model), rng, ScannerSettings(spacing=2.6, half_angle=80.0))
        scale = float(rng.uniform(8, 10))
        inputs[f"scan_{subject}/scale"] = np.array(scale)
        inputs[f"scan_{subject}/keypoints"] = (topology.keypoints(verts.double().numpy()) / scale).astype(np.float32)
        regions = cut_regions(scan.verts, scan.faces, model.landmarks68(verts).double().numpy())
        for name in REGIONS:
            points, faces = regions[name]
            inputs[f"scan_{subject}/{name}/verts"] = (points / scale).astype(np.float32)
            inputs[f"scan_{subject}/{name}/faces"] = faces.astype(np.uint16)
        smile = model.shape(identity_of(model, rng), expression_of(model, rng))
        R, t = Rotation.from_euler("xyz", rng.normal(0, 20, 3), degrees=True).as_matrix(), rng.uniform(-300, 300, 3)
        # Another unit and pose: the protocol takes both away.
        placed = torch.from_numpy((0.01 * smile.double().numpy() @ R.T + t / 100).astype(np.float32))
        for name, predicted in (("truth", verts), ("mean_face", model.mean), ("other_smiling", placed)):
            inputs[f"{subject}/{name}/subject"] = np.array(subject)
            inputs[f"{subject}/{name}/verts"] = predicted.numpy().astype(np.float32)
    return inputs


def make_objective(model: FaceModel, rng: np.random.Generator) -> Arrays:
    """Make a linked and an unlinked triplet, and coefficients near them: a fit to landmarks, disturbed."""
    linked = make_triplets(model, 1, image_size=64, settings=SyntheticSettings(linked=1.0, unlinked=0.0), seed=1)
    unlinked = make_triplets(model, 1, image_size=64, settings=SyntheticSettings(linked=0.0, unlinked=1.0), seed=2)
    both = (linked, unlinked)
    landmarks, K = torch.cat([t.landmarks for t in both]), torch.cat([t.K for t in both])
    vector = fit_landmarks2d(model, landmarks, K, 64).to_vector()
    sigma = torch.zeros_like(vector)
    for name, size in {"identity": 0.3, "albedo": 0.5, "expression": 0.05, "light": 0.05}.items():
        sigma[..., model.layout.slices[name]] = size
    noise = torch.from_numpy(rng.normal(size=vector.shape)).to(vector)
    return {
        "images": to_bytes(torch.cat([t.images for t in both])),
        "skin": to_bytes(torch.cat([t.skin for t in both])),
        "landmarks": landmarks.numpy(),
        "link": torch.cat([t.link for t in both]).numpy(),
        "K": K.numpy(),
        "person": torch.cat([t.persons() for t in both]).numpy(),
        "coefficients": (vector + sigma * noise).numpy(),
    }


def person(model: FaceModel, rng: np.random.Generator) -> torch.Tensor:
    """Draw a neutral face (N, 3) in mm."""
    return model.shape(identity_of(model, rng))


def identity_of(model: FaceModel, rng: np.random.Generator) -> torch.Tensor:
    """Draw an identity in standard deviations."""
    return torch.from_numpy(rng.normal(size=model.layout.identity).astype(np.float32))


def expression_of(model: FaceModel, rng: np.random.Generator) -> torch.Tensor:
    """Draw a mild expression in the face model's units."""
    return torch.from_numpy(rng.uniform(0, 0.15, model.layout.expression).astype(np.float32))


def outside(model: FaceModel) -> NDArray[Any]:
    """Give the faces that a scanner can see."""
    return model.faces_without("teeth", "mouth_interior").numpy()


def to_bytes(values: torch.Tensor) -> NDArray[np.uint8]:
    """Quantise [0, 1] to 0..255."""
    return (values.clamp(0, 1) * 255).round().byte().numpy()


MAKERS = {"now": make_now, "realy": make_realy, "objective": make_objective}


def main() -> None:
    """Record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", action="store_true", help="make the inputs anew, too")
    parser.add_argument("--output", type=Path, default=FOLDER / "numbers.json", help="file of the numbers")
    arguments = parser.parse_args()
    if arguments.inputs:
        model = load_face_model()
        for seed, part in enumerate(PARTS):
            np.savez_compressed(FOLDER / f"{part}.npz", **MAKERS[part](model, np.random.default_rng(seed)))
    numbers = {part: SCORES[part](read_inputs(part)) for part in PARTS}
    arguments.output.write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
