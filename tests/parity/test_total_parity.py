"""The whole official objective on the recorded inputs: consistent with itself and its own derivatives."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("h5py", reason="the extra `face-models` is not installed")

from benchmarks.official.total import OfficialWeights, official_objective
from benchmarks.official_parity import RUNS, read_inputs
from mgc_lightning.face_models import FaceModel
from mgc_lightning.face_models.bfm import load_bfm09
from mgc_lightning.rendering.renderer import FaceRenderer

ROOT = Path(__file__).resolve().parents[2]
TERMS = ("reg_shape", "reg_color", "lm", "render", "pixel", "ssim", "depth", "epi", "common", "mgc", "total")


@pytest.fixture(scope="module")
def results(golden, tmp_path_factory):
    output = tmp_path_factory.mktemp("parity") / "official.json"
    script = ROOT / "benchmarks" / "official_parity.py"
    command = [sys.executable, str(script), "--golden", str(golden), "--output", str(output)]
    subprocess.run(command, check=True, capture_output=True, cwd=output.parent)
    with np.load(output.with_suffix(".npz")) as file:
        return json.loads(output.read_text()), dict(file)


def test_every_run_has_every_term_and_gradient(results):
    terms, gradients = results
    assert set(terms) == set(RUNS)
    assert all(tuple(values) == TERMS for values in terms.values())
    assert set(gradients) == {f"{run}__{name}" for run in RUNS for name in TERMS}
    assert all(g.shape == (3, 2, 257) and np.isfinite(g).all() for g in gradients.values())


@pytest.mark.parametrize("run", RUNS)
def test_sums(results, run):
    terms, gradients = results
    weights, _ = RUNS[run]
    for values in (terms[run], {name: gradients[f"{run}__{name}"] for name in TERMS}):
        common = sum(getattr(weights, name) * values[name] for name in TERMS[:4])
        mgc = sum(getattr(weights, name) * values[name] for name in TERMS[4:8])
        np.testing.assert_allclose(values["common"], common, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(values["mgc"], mgc, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(values["total"], common + mgc, rtol=1e-4, atol=1e-6)


def test_flags(results):
    terms, _ = results
    both, one, mixed = (terms[run] for run in ("readme_noid_flag22", "readme_noid_flag02", "allon_flag12"))
    assert one["pixel"] == pytest.approx(both["pixel"] / 2)
    assert one["ssim"] == pytest.approx(both["ssim"] / 2)
    assert one["depth"] == pytest.approx(both["depth"], rel=2e-6)
    assert mixed["pixel"] == pytest.approx(both["pixel"])
    assert mixed["epi"] == pytest.approx(both["epi"], rel=2e-6)


def test_priors_by_hand(results, golden):
    terms, gradients = results
    with np.load(golden / "mgcnet" / "08_e2e_inputs.npz") as file:
        fed = file["coeff_fed"].astype(np.float64)
    identity, albedo, expression = fed[..., :80], fed[..., 80:160], fed[..., 160:224]
    values = terms["readme_noid_flag22"]
    shape = ((identity**2).sum() + 0.8 * (expression**2).sum()) / 3
    assert values["reg_shape"] == pytest.approx(shape, rel=1e-6)
    assert values["reg_color"] == pytest.approx(0.0017 * (albedo**2).sum() / 3, rel=1e-6)
    gradient = gradients["readme_noid_flag22__reg_color"]
    np.testing.assert_allclose(gradient[..., 80:160], 0.0034 * albedo / 3, rtol=1e-5)
    assert np.abs(np.delete(gradient, np.s_[80:160], axis=-1)).max() == 0


@pytest.mark.parametrize("group", ["pose", "light", "expression"])
def test_gradients_are_derivatives(golden, group):
    """Central differences; expression changes normals, which the official gradient does not see."""
    folder = golden / "mgcnet"
    dtype = torch.float64
    model = FaceModel(load_bfm09(folder / "00_pseudo_bfm_small.h5")).to(dtype)
    renderer = FaceRenderer()
    fed, inputs = read_inputs(folder, dtype)
    link = torch.full((2,), 2.0, dtype=dtype)
    weights = OfficialWeights()

    def objective(vectors):
        return official_objective(vectors, inputs, link, weights, model, renderer)

    direction = torch.zeros_like(fed)
    part = model.layout.slices[group]
    generator = torch.Generator().manual_seed(1)
    direction[..., part] = torch.randn(direction[..., part].shape, generator=generator, dtype=dtype)
    variable = fed.clone().requires_grad_()
    values = objective(variable)
    # Smaller steps than this meet rounding, larger ones flip pixels at edges.
    step = 1e-8
    ahead, behind = (objective(fed + sign * step * direction) for sign in (1, -1))
    names = ["lm", "depth", "epi", "pixel"] + (["render"] if group != "expression" else [])
    for name in names:
        (gradient,) = torch.autograd.grad(values[name], variable, retain_graph=True)
        slope = float((ahead[name] - behind[name]) / (2 * step))
        assert float((gradient * direction).sum()) == pytest.approx(slope, rel=1e-2, abs=1e-4), name
