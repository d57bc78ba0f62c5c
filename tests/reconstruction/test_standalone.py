"""The programs of docs/standalone.md, which know nothing of this package, give its numbers."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from pages import ROOT, blocks
from PIL import Image

from mgc_lightning.face_models import load_face_model
from mgc_lightning.networks.interface import INTERFACE_KEY
from mgc_lightning.reconstruction.reconstructor import FaceReconstructor
from mgc_lightning.synthetic.dataset import make_triplets

PAGE = ROOT / "docs" / "standalone.md"
MODULES = Path(os.environ.get("MGC_NODE_MODULES", "node_modules"))
"""Where `npm install onnxruntime-web` put it; no test fetches it."""
NODE = """
import { readFileSync, writeFileSync } from "fs";
import * as ort from "onnxruntime-web";
import { reconstruct } from "./standalone.mjs";
const about = JSON.parse(readFileSync("network.json", "utf-8")).interface;
const given = JSON.parse(readFileSync("given.json", "utf-8"));
const image = { data: new Uint8Array(readFileSync("pixels.rgba")), width: given.width, height: given.height };
const session = await ort.InferenceSession.create(new Uint8Array(readFileSync("network.onnx")));
const face = await reconstruct(session, about, image, given.points);
const coefficients = Object.fromEntries(Object.entries(face.coefficients).map(([k, v]) => [k, Array.from(v)]));
const { landmarks, triangles } = face;
writeFileSync("found.json", JSON.stringify({ coefficients, verts: Array.from(face.verts), landmarks, triangles }));
"""


@pytest.fixture(scope="module", params=[1.0, 4.0], ids=["as large as the crop", "shrunk first"])
def given(request, exports, tmp_path_factory):
    """Give a folder with a turned photograph, its points and the export, and what FaceReconstructor makes of it."""
    folder = tmp_path_factory.mktemp("elsewhere")
    shown = make_triplets(load_face_model(), 1, image_size=96, views=1)
    picture = Image.fromarray((shown.images[0, 0].permute(1, 2, 0) * 255).byte().numpy())
    side = round(96 * request.param)
    # A quarter turn by EXIF, too: the points are those of the picture as it is seen.
    exif = Image.Exif()
    exif[0x0112] = 8
    picture.resize((side, side)).transpose(Image.Transpose.ROTATE_270).save(folder / "photo.png", exif=exif)
    points = shown.landmarks[0, 0] * request.param + torch.tensor([0.8, -0.6])
    np.savetxt(folder / "points.txt", points.numpy())
    for name in ("network.onnx", "network.json"):
        shutil.copy(exports / name, folder)
    face = FaceReconstructor.load(exports / "network.onnx").reconstruct(folder / "photo.png", points)
    return folder, face


def test_python_without_torch(given):
    folder, face = given
    (block,) = blocks(PAGE, "python")
    code = block.code.replace("runs/quickstart/ID/export/network.onnx", "network.onnx").replace(".jpg", ".png")
    code += (
        "import sys\nassert not {'torch', 'mgc_lightning'} & set(sys.modules)\n"
        "np.savez('found.npz', verts=verts, in_photo=in_photo, **named)\n"
    )
    (folder / block.file).write_text(code)
    done = subprocess.run([sys.executable, "-P", block.file], cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = np.load(folder / "found.npz")
    np.testing.assert_allclose(found["verts"][0], face.mesh.verts, atol=1e-3)
    np.testing.assert_allclose(np.stack([found["in_photo"].real, found["in_photo"].imag], 1), face.landmarks, atol=2e-3)
    for name in ("identity", "albedo", "expression", "pose", "light"):
        np.testing.assert_allclose(found[name], getattr(face.coefficients, name), atol=1e-4, rtol=1e-5)
    lines = (folder / "face.obj").read_text().splitlines()
    assert len(lines) == face.mesh.verts.shape[0] + face.mesh.faces.shape[0]
    assert lines[-1] == "f {} {} {}".format(*(face.mesh.faces[-1] + 1).tolist())


@pytest.mark.skipif(
    shutil.which("node") is None or not (MODULES / "onnxruntime-web").is_dir(),
    reason="needs node, and onnxruntime-web of npm at MGC_NODE_MODULES",
)
def test_javascript(given):
    folder, face = given
    (block,) = blocks(PAGE, "js")
    (folder / "standalone.mjs").write_text(block.code)
    (folder / "run.mjs").write_text(NODE)
    if not (folder / "node_modules").exists():
        (folder / "node_modules").symlink_to(MODULES.resolve())
    pixels = (face.image.permute(1, 2, 0) * 255).round().byte().numpy()
    height, width = pixels.shape[:2]
    (folder / "pixels.rgba").write_bytes(np.dstack([pixels, np.full((height, width), 255, np.uint8)]).tobytes())
    points = np.loadtxt(folder / "points.txt").tolist()
    (folder / "given.json").write_text(json.dumps({"width": width, "height": height, "points": points}))
    done = subprocess.run(["node", "run.mjs"], cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads((folder / "found.json").read_text())
    np.testing.assert_allclose(np.reshape(found["verts"], (-1, 3)), face.mesh.verts, atol=2e-3)
    np.testing.assert_allclose(found["landmarks"], face.landmarks, atol=4e-3)
    for name, values in found["coefficients"].items():
        np.testing.assert_allclose(values, getattr(face.coefficients, name), atol=1e-3, rtol=1e-5)
    assert found["triangles"] == face.mesh.faces.tolist()


def test_the_description(given, exports):
    folder, face = given
    session = onnxruntime.InferenceSession(folder / "network.onnx", providers=["CPUExecutionProvider"])
    about = json.loads(session.get_modelmeta().custom_metadata_map[INTERFACE_KEY])
    assert about == json.loads((folder / "network.json").read_text())["interface"]
    model = load_face_model()
    assert about["triangles"] == model.faces.tolist()
    assert about["coefficients"]["names"]["expression"] == model.expression_names
    assert about["coefficients"]["slices"]["light"] == [model.layout.total - 27, model.layout.total]
    assert len(set(about["landmarks"]["names"])) == 68
    assert about["landmarks"]["names"][36] == "right_eye_1"
    np.testing.assert_allclose(about["K"], face.K_crop, rtol=1e-6)
    size = about["crop"]["size"]
    assert about["crop"]["template"][2] == pytest.approx([size / 2, 132.863434 * size / 224])
    assert about["verts"]["unit"] == "mm"
