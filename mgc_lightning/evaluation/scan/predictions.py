"""Meshes of another method, a folder of them, to scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.now.predictions import MESHES, read_landmarks
from mgc_lightning.evaluation.scan.crops import TITLES
from mgc_lightning.evaluation.scan.faces import (
    ALONE,
    PredictedFace,
)
from mgc_lightning.evaluation.scan.head_result import HeadResult
from mgc_lightning.evaluation.scan.photo_set import OWN_COLOURS, PHOTOGRAPHS
from mgc_lightning.evaluation.scan.score import middle_of_face, score_faces
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.files.mesh import read_mesh


def score_predictions(result: HeadResult, folder: Path, model: FaceModel) -> None:
    """Score the meshes that a folder holds of the photographs.

    Raises:
        MGCError: if one cannot be read.
    """
    centre = middle_of_face(model.landmarks7(model.mean)).cpu()
    title = folder.name if folder.name not in TITLES else f"predictions/{folder.name}"
    found = 0
    for kind, column, photographs in (
        (PHOTOGRAPHS, title, result.photographs),
        (OWN_COLOURS, f"{title}, {TITLES['own']}", result.own),
    ):
        faces = [read_predicted(folder / result.head.name / kind, p.plan.name) for p in photographs]
        if not any(face is not None for face in faces):
            continue
        result.faces[column] = faces
        for photograph, face in zip(photographs, faces, strict=True):
            if face is not None:
                found += 1
                result.scores.append(score_faces(result.head, result.fit, centre, column, ALONE, [photograph], [face]))
    if not found:
        example = folder / result.head.name / PHOTOGRAPHS / f"{result.photographs[0].plan.name}.obj"
        raise MGCError(f"{folder}: no mesh of {result.head.name}; expected {example} (or .ply) and the like")


def read_predicted(folder: Path, name: str) -> PredictedFace | None:
    """Read the mesh of a photograph (.obj or .ply) with its seven landmarks (.npy or .txt); None if it is not there.

    Raises:
        MGCError: if it cannot be read, or the landmarks are missing.
    """
    mesh = next((path for suffix in MESHES if (path := folder / f"{name}{suffix}").is_file()), None)
    if mesh is None:
        return None
    marks = next((path for suffix in (".npy", ".txt") if (path := folder / f"{name}{suffix}").is_file()), None)
    landmarks = read_landmarks(marks or folder / f"{name}.npy")
    read = read_mesh(mesh)
    return PredictedFace(
        torch.from_numpy(read.verts),
        torch.from_numpy(read.faces),
        torch.from_numpy(landmarks.astype(np.float64)),
        None if read.colors is None else torch.from_numpy(read.colors).float(),
    )
