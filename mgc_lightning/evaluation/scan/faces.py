"""What methods make of the photographs: faces from one, from several of one moment, from several in different light."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mgc_lightning.evaluation.scan.photo_set import TakenPhotograph
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.reconstruction.places import FacePlace
from mgc_lightning.reconstruction.reconstructor import FaceReconstructor
from mgc_lightning.reconstruction.refinement import refine
from mgc_lightning.reconstruction.result import Reconstruction
from mgc_lightning.reconstruction.same_person import refine_same_person

ALONE, REFINED, ONE_MOMENT, DIFFERENT_LIGHT = "alone", "refined", "one moment", "different light"
BATCH = 8


@dataclass(frozen=True)
class PredictedFace:
    """Hold what a method says of a photograph: its neutral mesh, and what else it knows.

    Attributes:
        verts: (N, 3) neutral, model frame, any unit.
        faces: (F, 3).
        landmarks7: (7, 3) of the mesh.
        colors: (N, 3) display space, or None.
        identity: (I,) coefficients, or None.
        T_cam_model: (4, 4), or None.
        landmarks: (68, 2) px of the photograph, or None.
        reconstruction: all of it, for pictures, or None.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> model = load_face_model()
        >>> face = PredictedFace(model.mean, model.faces, model.landmarks7(model.mean))  # what every method has
        >>> face.landmarks7.shape, face.colors, face.T_cam_model
        (torch.Size([7, 3]), None, None)
    """

    verts: Float[Tensor, "N 3"]
    faces: Int[Tensor, "F 3"]
    landmarks7: Float[Tensor, "7 3"]
    colors: Float[Tensor, "N 3"] | None = None
    identity: Float[Tensor, " I"] | None = None
    T_cam_model: Float[Tensor, "4 4"] | None = None
    landmarks: Float[Tensor, "68 2"] | None = None
    reconstruction: Reconstruction | None = None


def from_reconstruction(face: Reconstruction, face_model: FaceModel) -> PredictedFace:
    """Take the neutral face of a reconstruction."""
    verts = face_model.shape(face.coefficients.identity)
    return PredictedFace(
        verts.cpu(),
        face_model.faces.cpu(),
        face_model.landmarks7(verts).cpu(),
        face.mesh.albedo.cpu(),
        face.coefficients.identity.cpu(),
        face.T_cam_model.cpu(),
        face.landmarks.cpu(),
        face,
    )


def reconstruct_alone(
    reconstructor: FaceReconstructor, photographs: Sequence[TakenPhotograph], found: Sequence[FacePlace]
) -> list[PredictedFace]:
    """Reconstruct each photograph by itself."""
    faces: list[PredictedFace] = []
    for start in range(0, len(photographs), BATCH):
        images = [photograph.read() for photograph in photographs[start : start + BATCH]]
        matrices = torch.stack([place.crop_from_image for place in found[start : start + BATCH]])
        detected = [place.landmarks for place in found[start : start + BATCH]]
        meshes = [place.mesh for place in found[start : start + BATCH]]
        batch = reconstructor.reconstruct_aligned(images, matrices, detected, meshes)
        faces += [from_reconstruction(face, reconstructor.face_model) for face in batch]
    return faces


def refine_alone(reconstructor: FaceReconstructor, faces: Sequence[PredictedFace]) -> list[PredictedFace]:
    """Refine each face by its 68 landmarks, which must be known, and by the colours of its photograph."""
    known = [face.reconstruction for face in faces if face.reconstruction is not None]
    refined: list[Reconstruction] = []
    for start in range(0, len(known), BATCH):
        refined += refine(reconstructor, known[start : start + BATCH])
    return [from_reconstruction(face, reconstructor.face_model) for face in refined]


def reconstruct_group(
    reconstructor: FaceReconstructor,
    photographs: Sequence[TakenPhotograph],
    found: Sequence[FacePlace],
    one_moment: bool,
    steps: int,
    on_step: Callable[[int, int], None] | None = None,
) -> list[PredictedFace]:
    """Reconstruct one person from several photographs; each needs its 68 landmarks."""
    landmarks = [place.landmarks for place in found if place.landmarks is not None]
    faces = refine_same_person(
        reconstructor,
        [photograph.read() for photograph in photographs],
        landmarks,
        meshes=[place.mesh for place in found],
        one_moment=one_moment,
        steps=steps,
        on_step=on_step,
    )
    return [from_reconstruction(face, reconstructor.face_model) for face in faces]


def one_moment_groups(photographs: Sequence[TakenPhotograph]) -> list[list[int]]:
    """Group photographs of one moment: their places."""
    order = range(len(photographs))
    groups = groupby(order, key=lambda i: photographs[i].plan.moment)
    return [group for _, places in groups if len(group := list(places)) > 1]


def different_light_groups(photographs: Sequence[TakenPhotograph], size: int = 3) -> list[list[int]]:
    """Group photographs of different moments: three a group, of neighbouring yaws about the frontal one.

    Of moments m, m + 1, ... the first gives a photograph from the left, the second from the front, the third from the
    right; with two lights by turns each group has both, and two or three distances.
    """
    moments = one_moment_groups(photographs)
    if len(moments) < size:
        return []
    middle = len(moments[0]) // 2
    first = max(0, middle - size // 2)
    groups = []
    for start in range(len(moments)):
        chosen = [moments[(start + k) % len(moments)] for k in range(size)]
        groups.append([places[min(first + k, len(places) - 1)] for k, places in enumerate(chosen)])
    return groups
