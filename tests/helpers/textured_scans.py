"""A small textured head scan, made of the embedded model: OBJ with MTL and image, points in JSON."""

import json

import numpy as np
import torch
from PIL import Image

from mgc_lightning.face_models import load_face_model

TEXTURE = 128
LEFT, RIGHT = (200, 60, 60), (60, 60, 200)
"""Colours of the viewer's left and right half of the head; its texture places follow x and y."""


def person(seed=3, size=1.2):
    model = load_face_model()
    generator = torch.Generator().manual_seed(seed)
    return model, size * torch.randn(model.layout.identity, generator=generator)


def rigid_motion():
    """Give a rotation and shift, as scanners have frames of their own."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_euler("xyz", [8, -12, 5], degrees=True).as_matrix(), np.array([30.0, -50.0, 80.0])


def write_texture(path, size=TEXTURE):
    picture = np.empty((size, size, 3), np.uint8)
    picture[:, : size // 2], picture[:, size // 2 :] = LEFT, RIGHT
    Image.fromarray(picture).save(path)


def write_scan(folder, name="head", scale=1.0, moved=True, seed=3):
    """Write NAME.obj, .mtl, .png and .json; give the model, its identity and its vertices in the scan's frame, mm."""
    model, identity = person(seed)
    verts = model.shape(identity).double().numpy()
    R, t = rigid_motion() if moved else (np.eye(3), np.zeros(3))
    moved_verts = verts @ R.T + t
    faces = model.faces_without("teeth", "mouth_interior").numpy()
    folder.mkdir(parents=True, exist_ok=True)
    write_texture(folder / f"{name}.png")
    (folder / f"{name}.mtl").write_text(f"newmtl skin\nKd 1 1 1\nmap_Kd {name}.png\n")
    low, high = verts[:, :2].min(0), verts[:, :2].max(0)
    uv = (verts[:, :2] - low) / (high - low)
    # The middle of the head lies on the border of the two colours.
    uv[:, 0] = 0.5 + 0.5 * verts[:, 0] / np.abs(verts[:, 0]).max()
    lines = [f"mtllib {name}.mtl", "usemtl skin"]
    lines += [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in moved_verts * scale]
    lines += [f"vt {u:.6f} {v:.6f}" for u, v in uv]
    lines += [f"f {a}/{a} {b}/{b} {c}/{c}" for a, b, c in faces + 1]
    (folder / f"{name}.obj").write_text("\n".join(lines) + "\n")
    points = model.landmarks68(torch.from_numpy(moved_verts)).numpy()
    seven = model.landmarks7(torch.from_numpy(moved_verts)).numpy()
    content = {"landmarks68": (points * scale).tolist(), "landmarks7": (seven * scale).tolist()}
    (folder / f"{name}.json").write_text(json.dumps(content))
    return model, identity, moved_verts
