"""Reproduce the official program's training objective and its gradients on recorded inputs.

    python benchmarks/official_parity.py --golden DIR --output FILE.json

reads `08_e2e_inputs.npz` and the pseudo face model in DIR (or DIR/mgcnet), writes every term of four runs to
FILE.json, and beside it FILE.npz with the gradient of each term and of the total with respect to the fed
coefficients (3 views, 2 samples, 257), keys `<run>__<term>`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.official.losses import official_skin
from benchmarks.official.total import OfficialInputs, OfficialWeights, official_objective
from mgc_lightning.face_models import FaceModel
from mgc_lightning.face_models.bfm import load_bfm09
from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.files.text import write_json
from mgc_lightning.rendering.renderer import FaceRenderer

PUBLISHED = OfficialWeights()
ALL_ON = OfficialWeights(ssim=0.85, epi=1e-3)
RUNS = {
    "readme_noid_flag22": (PUBLISHED, (2, 2)),
    "readme_noid_flag02": (PUBLISHED, (0, 2)),
    "allon_flag22": (ALL_ON, (2, 2)),
    "allon_flag12": (ALL_ON, (1, 2)),
}
"""Weights and the two triplets' flags of each run."""
FACE_MODEL = "00_pseudo_bfm_small.h5"
INPUTS = "08_e2e_inputs.npz"


def golden_folder(path: Path) -> Path:
    """Find the folder of the official program's numbers."""
    for folder in (path, path / "mgcnet"):
        if (folder / INPUTS).is_file():
            return folder
    raise SystemExit(f"error: no {INPUTS} in {path} or {path / 'mgcnet'}")


def read_inputs(folder: Path, dtype: torch.dtype) -> tuple[torch.Tensor, OfficialInputs]:
    """Read the fed coefficients (V, B, 257) and the batch."""
    with np.load(folder / INPUTS) as file:
        arrays = {key: torch.from_numpy(file[key]).to(dtype) for key in file.files}
    return arrays["coeff_fed"], OfficialInputs(
        images=arrays["img"].movedim(-1, 2) / 255,
        skin=official_skin(arrays["skin_raw"] / 255)[:, :, None],
        landmarks=arrays["lm_gt"],
        landmark_weights=arrays["lm_weight"],
        K=arrays["K"],
        vertex_order=read_vertex_order(folder),
    )


def read_vertex_order(folder: Path) -> torch.Tensor:
    """Read the numbering of the face region's vertices, which the covisible map's padding depends on."""
    import h5py

    with h5py.File(folder / FACE_MODEL) as file:
        return torch.from_numpy(file["shape/representer/idx_sub"][()].astype(np.int64).ravel())


def reproduce(folder: Path, dtype: torch.dtype = torch.float64) -> tuple[dict, dict[str, np.ndarray]]:
    """Compute all runs: terms as numbers, gradients as arrays by `<run>__<term>`."""
    face_model = FaceModel(load_bfm09(folder / FACE_MODEL)).to(dtype)
    renderer = FaceRenderer()
    coefficients, inputs = read_inputs(folder, dtype)
    terms, gradients = {}, {}
    for run, (weights, flags) in RUNS.items():
        fed = coefficients.clone().requires_grad_()
        link = torch.tensor(flags, dtype=dtype)
        values = official_objective(fed, inputs, link, weights, face_model, renderer)
        terms[run] = {name: value.item() for name, value in values.items()}
        for name, value in values.items():
            (gradient,) = torch.autograd.grad(value, fed, retain_graph=True)
            gradients[f"{run}__{name}"] = gradient.numpy().astype(np.float32)
    return terms, gradients


def print_table(terms: dict[str, dict[str, float]]) -> None:
    """Print terms by run."""
    names = list(next(iter(terms.values())))
    print(f"{'run':22s}" + "".join(f"{name:>12s}" for name in names))
    for run, values in terms.items():
        print(f"{run:22s}" + "".join(f"{values[name]:12.6g}" for name in names))


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--golden", type=Path, required=True, help="folder of the recorded numbers")
    parser.add_argument("--output", type=Path, required=True, help="the .json file to write; .npz beside it")
    args = parser.parse_args()
    if args.output.suffix != ".json":
        parser.error(f"--output must end in .json, got {args.output}")
    terms, gradients = reproduce(golden_folder(args.golden))
    write_json(args.output, terms)
    with atomic_path(args.output.with_suffix(".npz")) as temporary:
        np.savez_compressed(temporary, **gradients)  # type: ignore[arg-type]
    print_table(terms)
    print(f"Wrote {args.output} and {args.output.with_suffix('.npz')}")


if __name__ == "__main__":
    main()
