"""Against the official REALY program: every recorded region within the fair gate."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from mgc_lightning.evaluation.realy.topology import read_mask
from mgc_lightning.metrics.realy import REGIONS, REALYScan, ScanRegion, realy_errors
from mgc_lightning.metrics.realy.topology import topology_from_keypoints


def recorded(golden: Path) -> list:
    cases = json.loads((golden / "realy" / "results.json").read_text())
    return [(case, subject) for case in cases for subject in case["subjects"]]


def load_topology(folder: Path, name: str):
    arrays = np.load(folder / f"topology_{name}.npz")
    return topology_from_keypoints(name, int(arrays["n_vertices"]), arrays["faces"].astype(np.int64), arrays["bary"])


def load_scan(folder: Path, subject: int, scale: float) -> REALYScan:
    arrays = np.load(folder / f"scan_{subject}.npz")
    regions = {name: ScanRegion(arrays[f"{name}_v"], arrays[f"{name}_f"].astype(np.int64)) for name in REGIONS}
    return REALYScan(subject, arrays["keypoints"], regions, scale)


@cache
def scored(golden: Path) -> list:
    """Score every recorded prediction once for all tests."""
    folder = golden / "realy" / "inputs"
    results = []
    for case, official in recorded(golden):
        name = official["subject"]
        arrays = np.load(folder / f"pred_{case['case']}__{name}.npz")
        topology = load_topology(folder, str(arrays["topology"]))
        if case["mask"]:
            topology = replace(topology, mask=read_mask(golden / "realy" / case["mask"], topology.vertex_count))
        scan = load_scan(folder, int(name.split("_")[0]), official["metrical_scale"])
        results.append((case["case"], official, arrays["v"], realy_errors(arrays["v"], topology, scan)))
    return results


def test_region_errors(golden: Path) -> None:
    differences = np.array(
        [
            abs(result.regions[region].error - official["bicp"][region]["error_mm"])
            for _, official, _, result in scored(golden)
            for region in REGIONS
        ]
    )
    assert len(differences) >= 12
    assert differences.max() < 0.02
    assert np.mean(differences < 0.001) >= 0.95
    assert differences.mean() < 0.002
    # The gate allows for other solvers; this implementation is far inside it.
    assert differences.max() < 1e-4


@pytest.mark.parametrize("region", REGIONS)
def test_counts_of_iterations_and_vertices(golden: Path, region: str) -> None:
    for _, official, _, result in scored(golden):
        found = result.regions[region]
        assert found.alignment.fits == official["ricp"][region]["n_fits"]
        assert found.alignment.fits - 1 == official["ricp"][region]["n_applied"]
        assert found.solves == official["bicp"][region]["n_solves"]
        assert len(found.verts) == official["bicp"][region]["n_vertices"]


def test_moved_vertices(golden: Path) -> None:
    for _, official, verts, result in scored(golden):
        gicp = official["gicp"]
        moved = gicp["scale"] * verts.astype(float) @ np.array(gicp["R"]).T + np.array(gicp["t"])
        np.testing.assert_allclose(result.alignment.verts, moved, atol=2e-5)
        for region in REGIONS:
            similarity = official["ricp"][region]["raw_to_aligned"]
            moved = similarity["scale"] * verts.astype(float) @ np.array(similarity["R"]).T + similarity["t"]
            np.testing.assert_allclose(result.regions[region].alignment.verts, moved, atol=2e-5)


def test_cleaned_and_deformed_vertices(golden: Path) -> None:
    for case, official, _, result in scored(golden):
        arrays = np.load(golden / "realy" / f"deformed_{case}.npz")
        for region in REGIONS:
            prefix = f"{official['subject']}_{region}"
            np.testing.assert_allclose(result.regions[region].verts, arrays[f"{prefix}_cleaned"], atol=1e-7)
            np.testing.assert_allclose(result.regions[region].deformed, arrays[f"{prefix}_deformed"], atol=2e-3)


def test_statistics_of_vertex_errors(golden: Path) -> None:
    for _, official, _, result in scored(golden):
        for region in REGIONS:
            errors = result.regions[region].vertex_errors / official["metrical_scale"]
            expected = official["bicp"][region]
            np.testing.assert_allclose(np.median(errors), expected["median"], atol=1e-4)
            np.testing.assert_allclose(errors.max(), expected["max"], atol=1e-3)


def test_official_text(golden: Path) -> None:
    """Texts may differ in the last of seven decimals, where solvers do."""
    for _, official, _, result in scored(golden):
        for region, text in official["error_mm_text"].items():
            assert result.regions[region].error == pytest.approx(float(text), abs=5e-6)
