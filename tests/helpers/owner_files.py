"""Small files in the layouts of the owners' face models, made from the embedded model's head."""

import json
import pickle
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import scipy.io
import scipy.sparse
import torch

from mgc_lightning.face_models import load_face_model

NAMED = {
    "center.chin.tip": 8,
    "center.nose.tip": 30,
    "right.eye.corner_outer": 36,
    "right.eye.corner_inner": 39,
    "left.eye.corner_inner": 42,
    "left.eye.corner_outer": 45,
    "right.lips.corner": 48,
    "left.lips.corner": 54,
}


@dataclass
class TinyFace:
    """Hold a face in the model frame, mm, triangles outward."""

    verts: np.ndarray
    faces: np.ndarray
    landmarks: np.ndarray
    landmark_points: np.ndarray
    identity: np.ndarray
    expression: np.ndarray
    albedo_mean: np.ndarray
    albedo: np.ndarray
    face_region: np.ndarray


def tiny_face():
    """Cut the embedded head to its skin, with five directions of each kind."""
    model = load_face_model("makehuman", level=0)
    inner = ("mouth_interior", "teeth", "eyeball_r", "eyeball_l")
    keep = ~torch.stack([model.region(name) for name in inner]).any(0).numpy()
    number = np.cumsum(keep) - 1
    faces = model.faces.numpy()
    verts = model.mean.numpy()[keep].astype(np.float64)
    points = model.landmarks68(model.mean).numpy()
    distance = np.linalg.norm(points[:, None] - verts[None], axis=2)
    return TinyFace(
        verts=verts,
        faces=number[faces[keep[faces].all(axis=1)]],
        landmarks=distance.argmin(axis=1),
        landmark_points=points,
        identity=model.identity_basis.numpy()[:5, keep].astype(np.float64),
        expression=model.expression_basis.numpy()[:5, keep].astype(np.float64),
        albedo_mean=model.albedo_mean.numpy()[keep].astype(np.float64),
        albedo=model.albedo_basis.numpy()[:5, keep].astype(np.float64),
        face_region=np.flatnonzero(model.region("face_render").numpy()[keep]),
    )


def columns(directions):
    """Turn (K, N, 3) into the owners' (3N, K)."""
    return directions.reshape(len(directions), -1).T


def split_scale(directions):
    """Split directions into unit columns and their lengths."""
    matrix = columns(directions)
    lengths = np.linalg.norm(matrix, axis=0)
    return matrix / lengths, lengths


def write_bfm09(path, face, unit=1e3):
    """Write MGCNet's HDF5: micrometres, colours to 255, triangles from 1, the rest from 0."""
    import h5py

    with h5py.File(path, "w") as file:
        for group, directions in (
            ("shape", face.identity * unit),
            ("expression", face.expression * unit),
            ("color", face.albedo * 255),
        ):
            basis, scale = split_scale(directions)
            file[f"{group}/model/pcaBasis"], file[f"{group}/model/pcaVariance"] = basis, scale
        file["shape/model/mean"] = (face.verts * unit).ravel()
        file["color/model/mean"] = (face.albedo_mean * 255).ravel()
        file["shape/representer/tri"] = face.faces + 1
        file["shape/representer/idx_lm68"] = face.landmarks
        file["shape/representer/idx_sub"] = face.face_region
    return path


def write_bfm09_deep3d(path, face, unit=0.01):
    """Write Deep3DFaceRecon's MATLAB file: decimetres, bases times sigma, everything from 1."""
    inside = np.isin(face.faces, face.face_region).all(axis=1)
    content = {
        "meanshape": (face.verts * unit).reshape(1, -1),
        "idBase": columns(face.identity * unit),
        "exBase": columns(face.expression * unit),
        "meantex": (face.albedo_mean * 255).reshape(1, -1),
        "texBase": columns(face.albedo * 255),
        "tri": face.faces + 1,
        "tri_mask2": face.faces[inside] + 1,
        "keypoints": face.landmarks[None] + 1,
        "frontmask2_idx": face.face_region[:, None] + 1,
        "skinmask": np.ones((1, len(face.verts))),
    }
    scipy.io.savemat(path, content, appendmat=False)
    return path


def write_statismo(path, face, unit=1.0):
    """Write BFM 2017's HDF5: millimetres, variances, cells (3, F), landmarks as JSON."""
    import h5py

    with h5py.File(path, "w") as file:
        for group, directions, mean in (
            ("shape", face.identity * unit, face.verts * unit),
            ("expression", face.expression * unit, np.full_like(face.verts, 0.01 * unit)),
            ("color", face.albedo, face.albedo_mean),
        ):
            basis, scale = split_scale(directions)
            file[f"{group}/model/mean"] = mean.astype(np.float32).ravel()
            file[f"{group}/model/pcaBasis"] = basis.astype(np.float32)
            file[f"{group}/model/pcaVariance"] = (scale**2).astype(np.float32)
            file[f"{group}/model/noiseVariance"] = np.float32(0)
            file[f"{group}/representer/cells"] = face.faces.T.astype(np.int32)
            file[f"{group}/representer/points"] = mean.T.astype(np.float32)
        entries = [
            {"id": name, "coordinates": (face.verts[face.landmarks[index]] * unit).tolist()}
            for name, index in NAMED.items()
        ]
        file["metadata/landmarks/json"] = json.dumps(entries)
    return path


def write_flame(folder, face, kind="pkl", embedding="full", unit=1e-3):
    """Write a FLAME folder: metres, shapedirs of 300 + 4, a sparse joint regressor, an embedding."""
    folder.mkdir(parents=True, exist_ok=True)
    count = len(face.verts)
    directions = np.zeros((count, 3, 304))
    directions[..., :5] = np.moveaxis(face.identity, 0, 2) * unit
    directions[..., 300:] = np.moveaxis(face.expression[:4], 0, 2) * unit
    content = {
        "v_template": face.verts * unit,
        "f": face.faces.astype(np.uint32),
        "shapedirs": directions,
        "J_regressor": scipy.sparse.random(5, count, 0.01, "csc", random_state=0),
        "weights": np.ones((count, 5)) / 5,
        "bs_type": "lrotmin",
    }
    if kind == "npz":
        content["J_regressor"] = content["J_regressor"].toarray()
        np.savez(folder / "flame2023.npz", **content)
    else:
        content["shapedirs"] = _Chumpy(directions)
        (folder / "generic_model.pkl").write_bytes(_dump(content))
    _write_embedding(folder, face, embedding)
    return folder


def _write_embedding(folder, face, embedding):
    """Place every landmark on a triangle that has its vertex as a corner."""
    triangles = np.array([np.flatnonzero((face.faces == vertex).any(axis=1))[0] for vertex in face.landmarks])
    weights = (face.faces[triangles] == face.landmarks[:, None]).astype(np.float64)
    if embedding == "full":
        content = {"full_lmk_faces_idx": triangles[None], "full_lmk_bary_coords": weights[None]}
        np.save(folder / "landmark_embedding.npy", content, allow_pickle=True)
        return
    static = {"lmk_face_idx": triangles[17:].astype(np.uint32), "lmk_b_coords": weights[17:]}
    (folder / "flame_static_embedding.pkl").write_bytes(pickle.dumps(static, protocol=2))
    if embedding == "contour":
        rows = 79
        content = {
            "lmk_face_idx": np.tile(triangles[:17], (rows, 1)),
            "lmk_b_coords": np.tile(weights[:17], (rows, 1, 1)),
        }
        np.save(folder / "flame_dynamic_embedding.npy", content, allow_pickle=True)


class _Chumpy:
    """Stand in for chumpy's array when a pickle is written."""

    def __init__(self, x):
        self.x = x

    def __getstate__(self):
        return {"x": self.x}


_Chumpy.__module__, _Chumpy.__qualname__, _Chumpy.__name__ = "chumpy.ch", "Ch", "Ch"


def _dump(content):
    """Pickle while a module called chumpy exists; none is needed to read."""
    package, module = ModuleType("chumpy"), ModuleType("chumpy.ch")
    module.Ch = _Chumpy
    sys.modules.update({"chumpy": package, "chumpy.ch": module})
    try:
        return pickle.dumps(content, protocol=2)
    finally:
        del sys.modules["chumpy"], sys.modules["chumpy.ch"]


def write_ict(folder, face, unit=0.1):
    """Write ICT-FaceKit's folder: centimetres, one OBJ a shape, indices as JSON."""
    folder = Path(folder) / "FaceXModel"
    folder.mkdir(parents=True, exist_ok=True)
    names = ["browDown_L", "browDown_R", "eyeBlink_L", "jawOpen", "mouthSmile_L"]
    _write_obj(folder / "generic_neutral_mesh.obj", face.verts * unit, face.faces)
    for number, direction in enumerate(face.identity):
        _write_obj(folder / f"identity{number:03d}.obj", (face.verts + direction) * unit, face.faces)
    for name, direction in zip(names, face.expression, strict=True):
        _write_obj(folder / f"{name}.obj", (face.verts + direction) * unit, face.faces)
    indices = {"expressions": names, "idx_to_landmark_verts": face.landmarks.tolist()}
    (folder / "vertex_indices.json").write_text(json.dumps(indices))
    return folder.parent


def _write_obj(path, verts, faces):
    lines = ["# ICT FaceKit", "mtllib ICTFaceModelMaterial.mtl"]
    lines += [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in verts]
    lines += [f"vt {u:.4f} {v:.4f}" for u, v in (verts[:, :2] / 100 + 0.5)]
    lines += ["usemtl M_Face"]
    lines += [f"f {a}/{a} {b}/{b} {c}/{c}" for a, b, c in faces + 1]
    path.write_text("\n".join(lines) + "\n")


WRITERS = {
    "bfm09": lambda folder, face: write_bfm09(folder / "bfm09_trim_exp_uv_presplit.h5", face),
    "bfm09-deep3d": lambda folder, face: write_bfm09_deep3d(folder / "BFM_model_front.mat", face),
    "bfm17": lambda folder, face: write_statismo(folder / "model2017-1_face12_nomouth.h5", face),
    "bfm19": lambda folder, face: write_statismo(folder / "model2019_bfm.h5", face),
    "flame2020": lambda folder, face: write_flame(folder / "FLAME2020", face),
    "flame2023": lambda folder, face: write_flame(folder / "FLAME2023", face, "npz", "contour"),
    "ict": write_ict,
}
"""Writers of a whole source by the name that `mgc face-model import` takes; each gives the path to import."""
