"""The REALY part of `evaluation.py`.

With recorded numbers every prediction of the folder is scored and timed; those that have official results are compared
by the gate: every region within .02 mm, 95 % within .001 mm, the mean within .002 mm, and all iteration counts equal.

Solvers that were measured for the registration's systems (4N x 4N, three right-hand sides), milliseconds to refill,
factor and solve on one idle core for N = 1,728 / 3,369, the pattern kept where the library can: QDLDL 21 / 36, MKL
PARDISO (pypardiso) 13 / 23, SciPy's SuperLU 40 / 75, cholespy (CHOLMOD, ordering each time) 54 / 111; QDLDL's order and
pattern with 4 x 4 blocks in numba, which is used, 6 / 10. scikit-sparse has no wheel, PARDISO brings 200 MB for x86.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from mgc_lightning.evaluation.realy.topology import read_mask, topology_of
from mgc_lightning.face_models import load_face_model
from mgc_lightning.metrics.realy import REGIONS, PredictionErrors, REALYScan, ScanRegion, realy_errors
from mgc_lightning.metrics.realy.topology import Topology, topology_from_keypoints
from mgc_lightning.synthetic.realy_regions import cut_regions
from mgc_lightning.synthetic.realy_set import SCANNER
from mgc_lightning.synthetic.scanner import scan_head

WORST_GATE, USUAL_GATE, MEAN_GATE, USUAL_SHARE = 0.02, 0.001, 0.002, 0.95
MM_PER_UNIT = 9.0
"""For predictions without official results, whose scale is not recorded."""


def report(golden: Path | None, repeats: int) -> bool:
    """Print the table; tell whether all recorded numbers are met."""
    if golden is None:
        _report_synthetic(repeats)
        return True
    return _report_recorded(golden / "realy", repeats)


def _report_recorded(folder: Path, repeats: int) -> bool:
    official = {
        (case["case"], subject["subject"]): subject
        for case in json.loads((folder / "results.json").read_text())
        for subject in case["subjects"]
    }
    table = _table("REALY against the official program, mm")
    differences, counts_equal = [], True
    for path in sorted((folder / "inputs").glob("pred_*.npz")):
        case, name = path.stem.removeprefix("pred_").split("__")
        arrays = np.load(path)
        topology = _topology(folder, str(arrays["topology"]), case)
        record = official.get((case, name))
        scan = _scan(folder, int(name.split("_")[0]), record["metrical_scale"] if record else MM_PER_UNIT)
        result, wall, cpu = _timed(arrays["v"], topology, scan, repeats)
        cells, note = [], "-"
        if record:
            off = [result.regions[region].error - record["bicp"][region]["error_mm"] for region in REGIONS]
            equal = _same_counts(result, record)
            differences += off
            counts_equal &= equal
            cells = [f"{value:+.0e}" for value in off] + ["yes" if equal else "NO"]
            note = f"{record['wall_s']:.0f}"
        else:
            cells = ["not recorded"] * len(REGIONS) + ["-"]
        table.add_row(
            f"{case}/{name}", f"{len(topology.faces):,}", _sizes(result), *cells, f"{wall:.2f}", f"{cpu:.2f}", note
        )
    console = Console(width=150)
    console.print(table)
    off = np.abs(differences)
    good = off.max() < WORST_GATE and off.mean() < MEAN_GATE and np.mean(off < USUAL_GATE) >= USUAL_SHARE
    console.print(
        f"{len(off)} regions: largest difference {off.max():.1e} mm (gate {WORST_GATE}), mean {off.mean():.1e} (gate "
        f"{MEAN_GATE}), {np.mean(off < USUAL_GATE):.0%} within {USUAL_GATE} (gate {USUAL_SHARE:.0%}); iteration counts "
        f"{'equal' if counts_equal else 'DIFFER'}."
    )
    return bool(good and counts_equal)


def _report_synthetic(repeats: int) -> None:
    table = _table("REALY on a synthetic scan (no recorded numbers: MGC_GOLDEN is unset)")
    surface = load_face_model(level=1)
    landmarks = surface.landmarks68(surface.mean).double().numpy()
    rng = np.random.default_rng(0)
    outer = surface.faces_without("teeth", "mouth_interior").numpy()
    scanned = scan_head(surface.mean.double().numpy(), outer, rng, SCANNER)
    parts = cut_regions(scanned.verts, scanned.faces, landmarks)
    keypoints = topology_of(surface).keypoints(surface.mean.double().numpy()) / MM_PER_UNIT
    regions = {
        name: ScanRegion((verts / MM_PER_UNIT).astype(np.float32), faces) for name, (verts, faces) in parts.items()
    }
    scan = REALYScan(1, keypoints.astype(np.float32), regions, MM_PER_UNIT)
    for level in (0, 1):
        model = load_face_model(level=level)
        identity = model.mean.new_tensor(rng.normal(0, 1, model.layout.identity))
        topology = topology_of(model)
        result, wall, cpu = _timed(model.shape(identity).numpy(), topology, scan, repeats)
        cells = [f"{value:.3f}" for value in result.errors]
        table.add_row(
            topology.name, f"{len(topology.faces):,}", _sizes(result), *cells, "-", f"{wall:.2f}", f"{cpu:.2f}", "-"
        )
    Console(width=150).print(table)


def _table(title: str) -> Table:
    table = Table(title=title)
    for column in (
        "prediction",
        "faces",
        "scan vertices",
        *REGIONS,
        "counts equal",
        "wall s",
        "CPU s",
        "note: official s",
    ):
        table.add_column(column, justify="left" if column == "prediction" else "right")
    return table


def _sizes(result: PredictionErrors) -> str:
    return "/".join(str(len(result.regions[region].verts)) for region in REGIONS)


def _same_counts(result: PredictionErrors, record: dict[str, Any]) -> bool:
    return all(
        result.regions[region].alignment.fits == record["ricp"][region]["n_fits"]
        and result.regions[region].solves == record["bicp"][region]["n_solves"]
        for region in REGIONS
    )


def _topology(folder: Path, name: str, case: str) -> Topology:
    arrays = np.load(folder / "inputs" / f"topology_{name}.npz")
    count, faces = int(arrays["n_vertices"]), arrays["faces"].astype(np.int64)
    topology = topology_from_keypoints(name, count, faces, arrays["bary"])
    mask = folder / "inputs" / f"mask_{case}.txt"
    return replace(topology, mask=read_mask(mask, count)) if mask.is_file() else topology


def _scan(folder: Path, subject: int, scale: float) -> REALYScan:
    arrays = np.load(folder / "inputs" / f"scan_{subject}.npz")
    regions = {name: ScanRegion(arrays[f"{name}_v"], arrays[f"{name}_f"].astype(np.int64)) for name in REGIONS}
    return REALYScan(subject, arrays["keypoints"], regions, scale)


def _timed(
    verts: np.ndarray, topology: Topology, scan: REALYScan, repeats: int
) -> tuple[PredictionErrors, float, float]:
    """Score `repeats` times after one that compiles; give the least wall and CPU seconds."""
    result = realy_errors(verts, topology, scan)
    walls, cpus = [], []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        result = realy_errors(verts, topology, scan)
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return result, min(walls), min(cpus)
