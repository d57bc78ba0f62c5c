"""`mgc fit-scan`: coefficients, place and mesh of a scan, as a user asks for them."""

import json

import numpy as np
import pytest
import torch
import trimesh
from textured_scans import write_scan

from mgc_lightning.cli import main
from mgc_lightning.evaluation.scan.fit_file import fit_scan_file
from mgc_lightning.face_models import load_face_model
from mgc_lightning.files.mesh import read_mesh
from mgc_lightning.fitting.scan_settings import ScanFitSettings


def mgc(*arguments):
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    return stopped.value.code or 0


def test_a_scan_in_centimetres(tmp_path, capsys):
    model, identity, verts = write_scan(tmp_path, "anna", scale=0.1)
    command = ("fit-scan", tmp_path / "anna.obj", "--output", tmp_path / "out")
    assert mgc(*command) == 2
    assert "give the scan's --unit" in capsys.readouterr().err
    assert mgc(*command, "--unit", "cm", "--iterations", 15) == 0
    printed = capsys.readouterr().out
    assert "mm off makehuman (median)" in printed
    found = json.loads((tmp_path / "out" / "fit.json").read_text())
    assert found["distances_mm"]["median"] < 0.15
    assert found["mm_per_unit"] == 10
    assert found["scan_from_model"]["s"] == pytest.approx(1, abs=0.02)
    face = model.face_mask.numpy()
    # On the scan: in its unit and frame, vertex by vertex.
    fitted = read_mesh(tmp_path / "out" / "fitted.ply")
    assert np.linalg.norm(10 * fitted.verts - verts, axis=1)[face].mean() < 0.6
    mean = model.shape(torch.zeros_like(identity)).numpy()
    neutral = read_mesh(tmp_path / "out" / "neutral.ply")
    s = found["scan_from_model"]["s"]
    error = np.linalg.norm(s * neutral.verts - model.shape(identity).numpy(), axis=1)[face].mean()
    assert error < 0.35 * np.linalg.norm(mean - model.shape(identity).numpy(), axis=1)[face].mean()
    assert np.abs(np.array(found["identity"])).max() > 0.5
    assert len(found["landmark_distances_mm"]) == 68


def test_other_files_and_points(tmp_path, capsys):
    model, _, verts = write_scan(tmp_path, "anna")
    # A GLB is in metres, and placed by its nodes.
    scene = trimesh.Scene()
    part = trimesh.Trimesh(verts, model.faces.numpy(), process=False)
    scene.add_geometry(part, transform=np.diag([0.001, 0.001, 0.001, 1]))
    scene.export(tmp_path / "anna.glb")
    seven = 0.001 * model.landmarks7(torch.from_numpy(verts)).numpy()
    np.save(tmp_path / "seven.npy", seven)
    few = ScanFitSettings(iterations=4, points=2000)
    fitted = fit_scan_file(tmp_path / "anna.glb", load_face_model(), tmp_path / "seven.npy", settings=few)
    assert np.median(fitted.fit.distances) < 0.5
    assert fitted.to_mm == 1000
    np.save(tmp_path / "swapped.npy", seven[[3, 2, 1, 0, 4, 6, 5]])
    command = ("fit-scan", tmp_path / "anna.glb", "--output", tmp_path / "out", "--scan-landmarks")
    assert mgc(*command, tmp_path / "swapped.npy") == 2
    assert "swapped.npy" in capsys.readouterr().err
    assert mgc(*command, tmp_path / "nowhere.json") == 2
    assert "no such file of points" in capsys.readouterr().err
