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
from mgc_lightning.fitting.measured_points import MeasuredPoints, MeshPoints, mesh_points
from mgc_lightning.fitting.posterior_fit import PredictionErrors, fit_posterior
from mgc_lightning.geometry.camera import intrinsics
from mgc_lightning.photographs.crop import transform_points2d
from mgc_lightning.reconstruction.reconstructor import FaceReconstructor
from mgc_lightning.reconstruction.refinement import CLOSELY, MeshEvidence
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
    model = reconstructor.face_model
    points = known_mesh_points(model)
    at_rest = _Measured.of(reconstructor, neutral, points, True)
    mean = torch.zeros(model.layout.identity)
    for _ in range(rounds):
        mean = at_rest.identities(mean).identity.mean((0, 1))
    parts = [at_rest]
    if others:
        parts.append(_Measured.of(reconstructor, others, points, False))
    measured = torch.cat([part.closely(part.identities(mean)).to_vector().flatten(0, 1) for part in parts])
    predicted = torch.cat([part.predicted.to_vector().flatten(0, 1) for part in parts])
    flags = torch.arange(len(predicted)) < len(neutral)
    return MeasuredPeople(predicted, measured, flags, mean)


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


@dataclass(frozen=True)
class _Measured:
    """Hold faces as samples of one view each."""

    reconstructor: FaceReconstructor
    predicted: FaceCoefficients
    mesh: Float[Tensor, "N 1 P 2"]
    landmarks: Float[Tensor, "N 1 68 2"]
    points: MeshPoints
    at_rest: bool

    @classmethod
    def of(
        cls, reconstructor: FaceReconstructor, faces: Sequence[Reconstruction], points: MeshPoints, at_rest: bool
    ) -> _Measured:
        vectors = torch.stack([face.coefficients.to_vector() for face in faces])
        matrices = torch.stack([face.crop_from_image for face in faces])
        meshes = torch.stack([face.detected_mesh[points.vertices] for face in faces if face.detected_mesh is not None])
        marks = torch.stack([face.detected for face in faces if face.detected is not None])
        return cls(
            reconstructor,
            FaceCoefficients.from_vector(vectors[:, None], reconstructor.face_model.layout),
            transform_points2d(matrices, meshes.to(matrices))[:, None],
            transform_points2d(matrices, marks.to(matrices))[:, None],
            points,
            at_rest,
        )

    def identities(self, mean: Float[Tensor, " I"]) -> FaceCoefficients:
        """Find the most probable faces of people about this mean."""
        start = replace(self.predicted, identity=mean.to(self.predicted.identity).expand_as(self.predicted.identity))
        if self.at_rest:
            start = replace(start, expression=torch.zeros_like(start.expression))
        found = MeshEvidence.of(self.reconstructor.face_model, self.points, self.mesh, self.landmarks, start.pose)
        return self._fit(start, found.seen, found.points, found.trust)

    def closely(self, start: FaceCoefficients) -> FaceCoefficients:
        """Let expression and pose follow the landmarks."""
        marks = MeasuredPoints.landmarks(self.reconstructor.face_model, CLOSELY)
        return self._fit(start, self.landmarks, marks, None, hold_identity=True)

    def _fit(
        self,
        start: FaceCoefficients,
        seen: Float[Tensor, "N 1 P 2"],
        points: MeasuredPoints,
        trust: Float[Tensor, "N 1 P"] | None,
        hold_identity: bool = False,
    ) -> FaceCoefficients:
        size, focal = self.reconstructor.image_size, self.reconstructor.predictor.focal
        K = intrinsics(size, focal, device=start.pose.device).expand(*start.pose.shape[:2], 3, 3)
        return fit_posterior(
            self.reconstructor.face_model,
            start,
            seen,
            K,
            size,
            trust=trust,
            points=points,
            prediction_errors=PRIOR,
            hold_identity=hold_identity,
        )
