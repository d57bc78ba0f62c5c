"""What is recorded of the golden set: inputs in, numbers out. `record.py` writes them, `test_golden.py` compares."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mgc_lightning.coefficients import FaceCoefficients
from mgc_lightning.face_models import load_face_model
from mgc_lightning.losses import LossWeights, MGCObjective, SamePerson, WeightedLoss
from mgc_lightning.metrics.now import crop_scan, now_error
from mgc_lightning.metrics.realy import REGIONS, REALYScan, ScanRegion, realy_errors
from mgc_lightning.metrics.realy.topology import Topology
from mgc_lightning.rendering import FaceRenderer
from mgc_lightning.scene import render_views
from mgc_lightning.structures import FaceTriplet

FOLDER = Path(__file__).parent
PARTS = ("now", "realy", "objective")
WEIGHTS = LossWeights(identity=0.0, pixel=0.3, depth=5e-3, ssim=0.2)
"""Every term is on, but the identity loss, whose recogniser needs weights of others."""

Arrays = Mapping[str, NDArray[Any]]
Numbers = dict[str, dict[str, Any]]


def read_inputs(part: str) -> dict[str, NDArray[Any]]:
    """Read the recorded inputs of a part."""
    with np.load(FOLDER / f"{part}.npz") as file:
        return dict(file)


def cases(inputs: Arrays) -> list[str]:
    """Name the predictions of a part."""
    return [name.removesuffix("/verts") for name in inputs if name.endswith("/verts") and "scan" not in name]


def score_now(inputs: Arrays) -> Numbers:
    """Give every case's kept vertices, error in mm, and the similarity that the refinement found."""
    numbers: Numbers = {}
    for case in cases(inputs):
        subject = f"scan_{int(inputs[f'{case}/subject'])}"
        scan = crop_scan(inputs[f"{subject}/verts"], inputs[f"{subject}/landmarks"])
        unit = str(inputs[f"{case}/unit"]) or None
        error = now_error(scan, inputs[f"{case}/verts"], inputs["faces"], inputs[f"{case}/landmarks"], unit)
        numbers[case] = {
            "kept": len(scan.index),
            "index_sum": int(scan.index.sum()),
            "reflected": bool(error.alignment.reflected),
            "median_mm": float(np.median(error.distances)),
            "mean_mm": float(error.distances.mean()),
            "std_mm": float(error.distances.std()),
            "deciles_mm": np.percentile(error.distances, range(0, 101, 10)).tolist(),
            "accepted_steps": error.refinement.solver.accepted,
            "landmark_scale": float(error.alignment.scale),
            "refined_scale": float(error.refinement.s),
        }
    return numbers


def score_realy(inputs: Arrays) -> Numbers:
    """Give every case's error of the four regions in mm, and the counts of their registrations."""
    faces = inputs["topology/faces"].astype(np.int64)
    triangles, weights = inputs["topology/triangles"].astype(np.int64), inputs["topology/weights"]
    topology = Topology("golden", int(faces.max()) + 1, faces, triangles, weights)
    numbers: Numbers = {}
    for case in cases(inputs):
        subject = int(inputs[f"{case}/subject"])
        regions = {
            name: ScanRegion(
                inputs[f"scan_{subject}/{name}/verts"], inputs[f"scan_{subject}/{name}/faces"].astype(np.int64)
            )
            for name in REGIONS
        }
        scan = REALYScan(subject, inputs[f"scan_{subject}/keypoints"], regions, float(inputs[f"scan_{subject}/scale"]))
        found = realy_errors(inputs[f"{case}/verts"], topology, scan).regions
        numbers[case] = {
            "errors_mm": [found[name].error for name in REGIONS],
            "vertices": [len(found[name].verts) for name in REGIONS],
            "solves": [found[name].solves for name in REGIONS],
        }
    return numbers


def score_objective(inputs: Arrays) -> Numbers:
    """Give every term per sample, the total, and the total's gradient by the coefficients."""
    face_model = load_face_model()
    batch = FaceTriplet(
        images=torch.from_numpy(inputs["images"]).float() / 255,
        landmarks=torch.from_numpy(inputs["landmarks"]),
        skin=torch.from_numpy(inputs["skin"]).float() / 255,
        link=torch.from_numpy(inputs["link"]),
        K=torch.from_numpy(inputs["K"]),
        person=torch.from_numpy(inputs["person"]),
    )
    vector = torch.from_numpy(inputs["coefficients"]).requires_grad_()
    coefficients = FaceCoefficients.from_vector(vector, face_model.layout)
    size = batch.images.shape[-1]
    views = render_views(coefficients, face_model, FaceRenderer("numba"), batch.K, size)
    objective = MGCObjective(WEIGHTS, extra={"same_person": WeightedLoss(SamePerson(), 0.02)})
    report = objective(views, batch)
    (gradient,) = torch.autograd.grad(report.total, vector)
    parts = face_model.layout.slices.items()
    numbers: Numbers = {
        "face_model": {"fingerprint": face_model.fingerprint},
        "total": {"value": float(report.total.detach())},
        "terms": {name: values.detach().tolist() for name, values in report.terms.items()},
        "gradient_norms": {name: gradient[..., part].norm(dim=-1).flatten().tolist() for name, part in parts},
    }
    numbers["pixels"] = {"covered": int(views.rendered.mask.sum())}
    return numbers


SCORES = {"now": score_now, "realy": score_realy, "objective": score_objective}

TOLERANCES = {
    "now": {"": (1e-4, 0.0)},
    "realy": {"": (1e-4, 0.0)},
    "objective": {"": (1e-5, 1e-4), "gradient_norms": (1e-4, 5e-3)},
}
"""(absolute, relative) by the name of a record, "" for all others. Numbers are mm where they have a unit; counts,
flags and fingerprints are exact. Torch 2.8 to 2.13 with NumPy 1.26 to 2.4, with and without vector instructions,
differ by 2e-6 mm, 1e-12 mm, 5e-6 and, in gradients, 1e-3."""


def differences(recorded: Numbers, found: Numbers, part: str) -> list[str]:
    """Say what differs by more than `TOLERANCES`: one line each, empty if nothing does."""
    told = [f"{part}: {name}: recorded or found only" for name in sorted(recorded.keys() ^ found.keys())]
    for name in recorded.keys() & found.keys():
        absolute, relative = TOLERANCES[part].get(name, TOLERANCES[part][""])
        for key, expected in recorded[name].items():
            got = found[name].get(key)
            floats = isinstance(expected, float) or (isinstance(expected, list) and isinstance(expected[0], float))
            same = np.allclose(got, expected, atol=absolute, rtol=relative) if floats and got is not None else False
            if not (same or got == expected):
                told.append(f"{part}: {name}: {key}: recorded {expected}, found {got}")
    return sorted(told)
