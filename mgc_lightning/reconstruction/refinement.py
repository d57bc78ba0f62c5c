"""Refine what the network predicts by the photograph's landmarks and colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.coefficients import FaceCoefficients
from mgc_lightning.errors import MGCError
from mgc_lightning.fitting.appearance_fit import fit_appearance
from mgc_lightning.fitting.measured_points import LandmarkErrors, MeasuredPoints, MeshPoints, mesh_points
from mgc_lightning.fitting.posterior_fit import PredictionErrors, fit_posterior
from mgc_lightning.geometry.camera import intrinsics
from mgc_lightning.geometry.pose import pose_to_transform
from mgc_lightning.photographs.conventions import jaw_trust
from mgc_lightning.photographs.crop import transform_points2d
from mgc_lightning.photographs.head_pose import yaw_degrees
from mgc_lightning.photographs.skin import SkinColours
from mgc_lightning.reconstruction.reconstructor import FaceReconstructor
from mgc_lightning.reconstruction.result import Reconstruction
from mgc_lightning.rendering.renderer import FaceRenderer
from mgc_lightning.scene import render_views

CLOSELY = LandmarkErrors(jaw=4.0, brows=2.0, nose=1.0, eyes=0.7, mouth=0.7)
"""Errors of landmarks, px at 224 px, once identity is held: expression and pose follow them."""
BY_LANDMARKS = PredictionErrors(carried=0.5)
"""Of the network: what it says of identity holds for synthetic faces, hardly for others. At half of it photographs of
a real head come to 1.26 mm by a detector's points, with all of it to 1.32 (NoW median; mean face 1.26), while synthetic
faces go from .70 of the mean face's error to .72."""
BY_MESH = PredictionErrors(identity=1.0, carried=0.3, independent=False)
"""Of the network, where a detector's mesh is known. The detector learned shapes from photographs of people, the network
from synthetic faces: on a real head one photograph comes to 1.04 mm at this share of the network's identity, to 1.19 mm
with all of it, to 1.05 mm with none (NoW median; mean face 1.26, 68 landmarks 1.29)."""
CALIBRATED = PredictionErrors(identity=0.5)
"""Of a network that was calibrated on photographs: its identity holds for people, and is carried whole. A real head
comes to 0.98 mm by a mesh and to 0.99 mm by 68 landmarks; at .8 instead of .5 the latter is 1.00, and its worst
photograph 1.14 instead of 1.07 (NoW median; the network alone 1.00, mean face 1.26)."""
CALIBRATED_BY_MESH = PredictionErrors(identity=0.5, independent=False)
"""Likewise, where a detector's mesh is known; the networks' errors on several views go together."""
JAW_ERROR = 5.0
"""Standard deviation of the jaw's landmarks beside a mesh, px at 224 px. Without them the mean of the people that the
package's network is calibrated on is 1.00 mm off a real head, at 16 px .97, at 8 .95, at 5 .94, at 3 .95 (NoW)."""
JAW_YAW = 20.0
"""Degrees of yaw from which the outline that a detector sees is no longer where the model has its jaw."""
FACING = 0.1
"""Least cosine between a mesh point's normal and the way to the camera."""


def refine(
    reconstructor: FaceReconstructor,
    faces: Sequence[Reconstruction],
    landmarks: Sequence[Float[Tensor, "68 2"]] | None = None,
    *,
    same_person: bool = False,
    sliding_jaw: bool = False,
) -> list[Reconstruction]:
    """Bring reconstructions to the landmarks and the colours of their photographs.

    First identity, expression and pose move from the network's prediction towards the landmarks, as far as the errors
    of both justify (`fitting.fit_posterior`): iBUG's 68, or where a detector found a mesh its vertices, which say more
    of a face's shape; then, identity held, expression and pose follow the landmarks closely; then albedo and light
    follow the skin's colours (`fitting.fit_appearance`).

    Args:
        reconstructor: that made them.
        faces: what it predicts.
        landmarks: (68, 2) px of each photograph; if not given, those that the faces were aligned by, and the detector's
            mesh.
        same_person: they are of one person: one identity and albedo for all.
        sliding_jaw: the landmarks' jaw is the outline that is seen (`ibug-2d`): it counts less in turned heads.

    Returns:
        The faces refined, in their order.

    Raises:
        MGCError: if a face has no 68 landmarks.

    Example:
        >>> from mgc_lightning import load_face_model, make_triplets
        >>> reconstructor = FaceReconstructor.from_pretrained(detector=None)
        >>> batch = make_triplets(load_face_model(), 1, image_size=128, views=1)
        >>> face = reconstructor.reconstruct(batch.images[0, 0], batch.landmarks[0, 0])
        >>> (refined,) = refine(reconstructor, [face])
        >>> before, after = ((f.landmarks - batch.landmarks[0, 0]).norm(dim=-1).mean() for f in (face, refined))
        >>> bool(after < 0.6 * before)
        True
    """
    if not faces:
        return []
    meshes = [None if landmarks is not None else face.detected_mesh for face in faces]
    if same_person or len({mesh is None for mesh in meshes}) == 1:
        evidence = Evidence.of(reconstructor, faces, landmarks, meshes, same_person, sliding_jaw)
        found = evidence.by_landmarks(evidence.prediction)
        return evidence.assemble(evidence.by_colours(found))
    # What becomes of a face does not depend on its neighbours.
    refined: dict[int, Reconstruction] = {}
    for known in (True, False):
        part = [i for i, mesh in enumerate(meshes) if (mesh is not None) == known]
        some = refine(reconstructor, [faces[i] for i in part], sliding_jaw=sliding_jaw)
        refined |= dict(zip(part, some, strict=True))
    return [refined[i] for i in range(len(faces))]


@dataclass(frozen=True)
class Evidence:
    """Hold what photographs say of faces: B samples of V views, one person a sample.

    Attributes:
        reconstructor: that made the predictions.
        images: the photographs, of all views.
        matrices: (B * V, 2, 3) from photographs to crops.
        detected: (B * V, 68, 2) landmarks in px of the photographs.
        crops: (B, V, 3, S, S).
        landmarks: (B, V, 68, 2) px of the crops.
        K: (B, V, 3, 3) of the crops.
        prediction: (B, V, ...).
        trust: (B, V, 68) of the landmarks, or None for all 1.
        meshes: (468, 2) px of each photograph, of a detector; used if all are known.
    """

    reconstructor: FaceReconstructor
    images: list[Tensor]
    matrices: Float[Tensor, "N 2 3"]
    detected: Float[Tensor, "N 68 2"]
    crops: Float[Tensor, "B V 3 S S"]
    landmarks: Float[Tensor, "B V 68 2"]
    K: Float[Tensor, "B V 3 3"]
    prediction: FaceCoefficients
    trust: Float[Tensor, "B V 68"] | None
    meshes: Sequence[Float[Tensor, "468 2"] | None]

    @classmethod
    def of(
        cls,
        reconstructor: FaceReconstructor,
        faces: Sequence[Reconstruction],
        landmarks: Sequence[Float[Tensor, "68 2"]] | None,
        meshes: Sequence[Float[Tensor, "468 2"] | None] | None,
        same_person: bool,
        sliding_jaw: bool,
    ) -> Evidence:
        """Collect it from reconstructions; all are views of one sample where they are of one person."""
        axis, device = (0 if same_person else 1), reconstructor.device
        matrices = torch.stack([face.crop_from_image for face in faces]).to(device)
        points = _points([face.detected for face in faces] if landmarks is None else landmarks, len(faces))
        vectors = torch.stack([face.coefficients.to_vector() for face in faces])
        prediction = FaceCoefficients.from_vector(vectors.unsqueeze(axis), reconstructor.face_model.layout)
        trust = None
        if sliding_jaw:
            yaw = yaw_degrees(pose_to_transform(torch.stack([face.coefficients.pose for face in faces])))
            trust = torch.stack([jaw_trust(float(angle)) for angle in yaw]).unsqueeze(axis).to(device)
        K = intrinsics(reconstructor.image_size, reconstructor.predictor.focal, device=device)
        return cls(
            reconstructor=reconstructor,
            images=[face.image for face in faces],
            matrices=matrices,
            detected=points,
            crops=torch.stack([face.crop for face in faces]).to(device).unsqueeze(axis),
            landmarks=transform_points2d(matrices, points.to(device)).unsqueeze(axis),
            K=K.expand(*prediction.pose.shape[:2], 3, 3),
            prediction=prediction,
            trust=trust,
            meshes=[None] * len(faces) if meshes is None else meshes,
        )

    def by_landmarks(self, start: FaceCoefficients) -> FaceCoefficients:
        """Move identity, expression and pose as far as both errors justify; then expression and pose alone, closely."""
        points = mesh_points(self.reconstructor.face_model)
        if points is None or any(mesh is None for mesh in self.meshes):
            return self.closely(self._posterior(start))
        calibrated = self.reconstructor.predictor.calibrated
        return self.closely(self.by_mesh(start, points, CALIBRATED_BY_MESH if calibrated else BY_MESH))

    def closely(self, start: FaceCoefficients) -> FaceCoefficients:
        """Let expression and pose follow the landmarks, identity held."""
        return self._posterior(start, CLOSELY, hold_identity=True)

    def by_mesh(self, start: FaceCoefficients, points: MeshPoints, errors: PredictionErrors) -> FaceCoefficients:
        """Move identity, expression and pose towards the detector's mesh that the camera sees, and the jaw's outline.

        The mesh's vertices on the outline slide along it, and have no place on the head: the width of the jaw is told
        by iBUG's points, where the face is seen from ahead.

        Args:
            start: of the search, and the mean of the prior.
            points: of the mesh.
            errors: of the start.
        """
        model, T_crop_model = self.reconstructor.face_model, pose_to_transform(start.pose)
        chosen = torch.stack([torch.as_tensor(mesh)[points.vertices] for mesh in self.meshes if mesh is not None])
        seen = transform_points2d(self.matrices, chosen.to(self.matrices)).unflatten(0, self.landmarks.shape[:2])
        ahead = (yaw_degrees(T_crop_model.flatten(0, 1)).abs() < JAW_YAW).unflatten(0, self.landmarks.shape[:2])
        jaw = ahead[..., None].expand(*ahead.shape, 17)
        return fit_posterior(
            model,
            start,
            torch.cat([seen, self.landmarks[..., :17, :].to(seen)], dim=2),
            self.K,
            self.reconstructor.image_size,
            trust=torch.cat([points.facing(T_crop_model) > FACING, jaw.to(T_crop_model.device)], dim=2).to(seen),
            points=points.points.and_also(MeasuredPoints.jaw(model, JAW_ERROR)),
            prediction_errors=errors,
        )

    def _posterior(
        self, start: FaceCoefficients, errors: LandmarkErrors | None = None, hold_identity: bool = False
    ) -> FaceCoefficients:
        return fit_posterior(
            self.reconstructor.face_model,
            start,
            self.landmarks,
            self.K,
            self.reconstructor.image_size,
            trust=self.trust,
            points=MeasuredPoints.landmarks(self.reconstructor.face_model, errors),
            prediction_errors=CALIBRATED if self.reconstructor.predictor.calibrated else BY_LANDMARKS,
            hold_identity=hold_identity,
        )

    def by_colours(self, start: FaceCoefficients) -> FaceCoefficients:
        """Let albedo and light follow the skin's colours."""
        model, size = self.reconstructor.face_model, self.reconstructor.image_size
        with torch.no_grad():
            views = render_views(start, model, FaceRenderer(), self.K, size)
        return fit_appearance(model, views, self.crops, self.skin)

    @cached_property
    def skin(self) -> Float[Tensor, "B V 1 S S"]:
        """Give the probability of skin."""
        crops, points = self.crops.flatten(0, 1).cpu(), self.landmarks.flatten(0, 1).cpu()
        found = [SkinColours().segment(crop, marks) for crop, marks in zip(crops, points, strict=True)]
        return torch.stack(found).to(self.crops.device).unflatten(0, self.crops.shape[:2])

    def assemble(self, found: FaceCoefficients) -> list[Reconstruction]:
        """Turn coefficients into reconstructions, in the order of the photographs."""
        flat, crops = found.map(lambda group: group.flatten(0, 1)), self.crops.flatten(0, 1)
        return self.reconstructor.assemble(
            self.images, crops, self.matrices, flat, list(self.detected), list(self.meshes)
        )


def _points(landmarks: Sequence[Tensor | None], count: int) -> Float[Tensor, "N 68 2"]:
    shapes = [None if points is None else tuple(torch.as_tensor(points).shape) for points in landmarks]
    if len(shapes) != count or any(shape != (68, 2) for shape in shapes):
        bad = next((i for i, shape in enumerate(shapes) if shape != (68, 2)), None)
        got = f"{len(shapes)} for {count} faces" if bad is None else f"{shapes[bad] or 'none'} for number {bad + 1}"
        raise MGCError(f"Refining needs the 68 landmarks of each face, (68, 2) px of its photograph; got {got}")
    return torch.stack([torch.as_tensor(points).float() for points in landmarks if points is not None])
