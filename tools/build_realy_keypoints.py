"""Write the shipped keypoints of REALY: those of the embedded head, and of ICT-FaceKit from the user's copy.

    python tools/build_realy_keypoints.py [--ict FaceXModel]

`FaceXModel` is the folder of github.com/ICT-VGL/ICT-FaceKit (MIT) with generic_neutral_mesh.obj and
vertex_indices.json.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from mgc_lightning.evaluation.realy.topology import KEYPOINT_DATA, inner_parts
from mgc_lightning.face_models import load_face_model
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.files.mesh import read_mesh
from mgc_lightning.metrics.realy.placement import place_keypoints

ICT_FACE_VERTS = 9409
"""The face comes first in ICT-FaceKit's order, so one set of keypoints fits the whole head and its usual crops."""


def main() -> None:
    """Write one file a topology."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ict", type=Path, help="folder FaceXModel of ICT-FaceKit")
    args = parser.parse_args()
    for level in (0, 1):
        model = load_face_model("makehuman", level)
        write(f"makehuman-{level}", *place_on(model), licence=model.licence)
    if args.ict:
        mesh = read_mesh(args.ict / "generic_neutral_mesh.obj")
        listed = json.loads((args.ict / "vertex_indices.json").read_text())["idx_to_landmark_verts"]
        face = np.arange(len(mesh.verts)) < ICT_FACE_VERTS
        placed = place_keypoints(mesh.verts, mesh.faces, mesh.verts[listed], face)
        write("ict", *placed, licence="ICT-FaceKit, MIT, Copyright (c) 2020 USC Institute for Creative Technologies")


def place_on(model: FaceModel) -> tuple[np.ndarray, np.ndarray]:
    """Place the keypoints on a face model's mean, outside mouth and eyeballs."""
    mean = model.mean.double().numpy()
    landmarks = model.landmarks68(model.mean.double()).numpy()
    return place_keypoints(mean, model.faces.numpy(), landmarks, ~inner_parts(model))


def write(name: str, triangles: np.ndarray, weights: np.ndarray, licence: str) -> None:
    """Write one keypoint a line: three vertices and their weights."""
    rows = [
        json.dumps([*triangle, *(round(float(weight), 6) for weight in row)])
        for triangle, row in zip(triangles.tolist(), weights, strict=True)
    ]
    path = KEYPOINT_DATA / f"{name}.json"
    text = ",\n  ".join(rows)
    path.write_text(f'{{"licence": {json.dumps(licence)},\n "keypoints": [\n  {text}\n]}}\n', encoding="utf-8")
    print(path)


if __name__ == "__main__":
    main()
