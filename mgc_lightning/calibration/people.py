"""What photographs of people say of their faces: what a network predicts, and what a detector's mesh measures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mgc_lightning.coefficients import FaceCoefficients
from mgc_lightning.errors import MGCError
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.fitting.measured_points import MeshPoints, mesh_points
from mgc_lightning.fitting.posterior_fit import PredictionErrors
from mgc_lightning.reconstruction.reconstructor import FaceReconstructor
from mgc_lightning.reconstruction.refinement import Evidence
from mgc_lightning.reconstruction.result import Reconstruction

PRIOR = PredictionErrors(identity=1.0, independent=False)
"""People are as the face model says, about their own mean."""


@dataclass(frozen=True)
class MeasuredPeople:
    """Hold N photographs' faces.

    Attributes:
        predicted: (N, C) absolute coefficients as the network gives them.
        measured: (N, C) by mesh and landmarks; albedo and light are the predicted ones.
        neutral: (N,) whether the photograph shows a face at rest.
        mean: (I,) identity of the mean person.
    """

    predicted: Float[Tensor, "N C"]
    measured: Float[Tensor, "N C"]
    neutral: Bool[Tensor, " N"]
    mean: Float[Tensor, " I"]


@dataclass
class FoundFaces:
    """Hold the faces of photographs, and what could not be used.

    Attributes:
        faces: that have landmarks and a mesh.
        skipped: files with the reason.
    """

    faces: list[Reconstruction] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)


def find_faces(
    reconstructor: FaceReconstructor,
    photographs: Sequence[str | Path],
    on_step: Callable[[int, int], None] | None = None,
) -> FoundFaces:
    """Predict the largest face of each photograph, and find its mesh; the photographs themselves are let go.

    Args:
        reconstructor: with a detector that gives meshes.
        photographs: files.
        on_step: called with the photographs that are done and their number.
    """
    found = FoundFaces()
    for number, path in enumerate(photographs):
        try:
            face = reconstructor.reconstruct(path)
        except MGCError as error:
            found.skipped.append((str(path), str(error).removeprefix(f"{path}: ")))
        else:
            if face.detected is None or face.detected_mesh is None:
                found.skipped.append((str(path), "the detector gives no face mesh here"))
            else:
                found.faces.append(replace(face, image=face.crop))
        if on_step is not None:
            on_step(number + 1, len(photographs))
    return found


def measure_people(
    reconstructor: FaceReconstructor,
    neutral: Sequence[Reconstruction],
    others: Sequence[Reconstruction] = (),
    rounds: int = 6,
) -> MeasuredPeople:
    """Measure faces by their meshes, and the mean of the people by the faces at rest.

    The mean is found by expectation maximisation with the face model's own spread about it: each face is the most
    probable one where people are N(mean, 1) (`fit_posterior`), and the mean is theirs. At rest the prior is without
    expression, elsewhere it has what the network predicts: a mean of smiling faces would be a smile. Then expression
    and pose follow the landmarks, identity held.

    Args:
        reconstructor: that predicted the faces.
        neutral: faces at rest, each with 68 landmarks and mesh.
        others: faces with any expression, likewise.
        rounds: of the mean.

    Raises:
        MGCError: if it is not known where the mesh's vertices lie on the face model.
    """
    points = known_mesh_points(reconstructor.face_model)
    at_rest = _evidence(reconstructor, neutral)
    resting = replace(at_rest.prediction, expression=torch.zeros_like(at_rest.prediction.expression))
    mean = torch.zeros(reconstructor.face_model.layout.identity)
    for _ in range(rounds):
        mean = at_rest.by_mesh(_about(resting, mean), points, PRIOR).identity.mean((0, 1))
    parts = [(at_rest, resting)]
    if others:
        moving = _evidence(reconstructor, others)
        parts.append((moving, moving.prediction))
    found = [evidence.closely(evidence.by_mesh(_about(start, mean), points, PRIOR)) for evidence, start in parts]
    measured, predicted = (
        torch.cat([part.to_vector().flatten(0, 1) for part in group])
        for group in (found, [evidence.prediction for evidence, _ in parts])
    )
    return MeasuredPeople(predicted, measured, torch.arange(len(predicted)) < len(neutral), mean)


def known_mesh_points(face_model: FaceModel) -> MeshPoints:
    """Give where the vertices of a detector's mesh lie on a face model.

    Raises:
        MGCError: if it is not known.
    """
    points = mesh_points(face_model)
    if points is None:
        raise MGCError(
            f"It is not known where a detector's mesh lies on the face model `{face_model.name}`: networks of the "
            "embedded one can be calibrated"
        )
    return points


def _evidence(reconstructor: FaceReconstructor, faces: Sequence[Reconstruction]) -> Evidence:
    meshes = [face.detected_mesh for face in faces]
    return Evidence.of(reconstructor, faces, None, meshes, same_person=False, sliding_jaw=False)


def _about(start: FaceCoefficients, mean: Float[Tensor, " I"]) -> FaceCoefficients:
    return replace(start, identity=mean.to(start.identity).expand_as(start.identity))
