"""What the local page does, without the page: faces found, seen by one network or two, moved, lit, written."""

from __future__ import annotations

import dataclasses
import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.files.mesh import write_mesh
from mgc_lightning.geometry.mesh import vertex_normals
from mgc_lightning.pictures.viewer import viewer_data
from mgc_lightning.reconstruction.places import FaceFinder
from mgc_lightning.reconstruction.reconstructor import FaceReconstructor
from mgc_lightning.reconstruction.refinement import refine
from mgc_lightning.reconstruction.result import Reconstruction
from mgc_lightning.reconstruction.settings import WhereSettings
from mgc_lightning.rendering.lighting import shade

Format = Literal["obj", "glb"]
"""In which a face is written."""
EXPRESSIONS: dict[str, tuple[str, ...]] = {
    "smile": ("mouthSmileLeft", "mouthSmileRight"),
    "open mouth": ("jawOpen",),
    "pucker": ("mouthPucker",),
    "frown": ("mouthFrownLeft", "mouthFrownRight"),
    "raised brows": ("browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    "closed eyes": ("eyeBlinkLeft", "eyeBlinkRight"),
}
"""Sliders of a face model that knows ARKit's names, and what each moves."""
OTHERWISE = 6
"""Sliders of one that does not: its first directions."""
MOST_FACES = 8
"""Faces of a photograph."""


@dataclass(frozen=True)
class Change:
    """Say how a face is changed.

    Attributes:
        moved: by how much each slider's directions are moved, of `sliders_of`.
        own: how much is left of the expression that the photograph has: 1 all, 0 none.
        light: strength of the photograph's light.
        turn: of the light about the vertical axis, degrees.
    """

    moved: Mapping[str, float] = field(default_factory=dict)
    own: float = 1.0
    light: float = 1.0
    turn: float = 0.0


def sliders_of(face_model: FaceModel) -> dict[str, tuple[int, ...]]:
    """Give the sliders of a face model, and the directions of expression that each moves.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> list(sliders_of(load_face_model()))[:2]
        ['smile', 'open mouth']
    """
    names = list(face_model.expression_names)
    known = {label: tuple(names.index(n) for n in parts if n in names) for label, parts in EXPRESSIONS.items()}
    if all(known.values()):
        return known
    return {f"expression {index + 1}": (index,) for index in range(min(OTHERWISE, len(names)))}


class Studio:
    """Find the faces of photographs, and show each as one network or two see it.

    Args:
        networks: by the name that is shown; the first finds the faces.

    Example:
        >>> from mgc_lightning import FaceReconstructor
        >>> from mgc_lightning.losses.identity import TEMPLATE_68
        >>> reconstructor = FaceReconstructor.from_pretrained()
        >>> face = reconstructor.reconstruct(torch.rand(3, 224, 224), landmarks=torch.tensor(TEMPLATE_68))
        >>> smiling = change_face(face, Change({"smile": 0.8}))
        >>> bool((smiling.mesh.verts - face.mesh.verts).norm(dim=-1).max() > 1)  # mm
        True
    """

    def __init__(self, networks: Mapping[str, FaceReconstructor]) -> None:
        self.networks = dict(networks)
        first = next(iter(self.networks.values()))
        self.finder = FaceFinder(first, WhereSettings(faces="all"), "auto")

    def look(self, name: str, photo: Float[Tensor, "3 H W"]) -> list[dict[str, Reconstruction]]:
        """Reconstruct the faces of a photograph, the largest first, by each network.

        Raises:
            MGCError: if there is none, or no detector.
        """
        places = self.finder.find(photo, Path(name))[:MOST_FACES]
        matrices = [place.crop_from_image for place in places]
        found: list[dict[str, Reconstruction]] = [{} for _ in places]
        for network, reconstructor in self.networks.items():
            size = self.finder.reconstructor.image_size
            # The crop of a network of another size is the same one, scaled about its corner.
            scaled = torch.stack(matrices) * (reconstructor.image_size / size)
            detected, meshes = [place.landmarks for place in places], [place.mesh for place in places]
            faces = reconstructor.reconstruct_aligned([photo] * len(places), scaled, detected, meshes)
            if all(points is not None for points in detected):
                faces = refine(reconstructor, faces)
            for shown, face in zip(found, faces, strict=True):
                shown[network] = face
        return found


def change_face(face: Reconstruction, change: Change) -> Reconstruction:
    """Give a face with another expression, in another light.

    Args:
        face: as it was found.
        change: how.
    """
    model, c = face.face_model, face.coefficients
    expression = c.expression * change.own
    for label, directions in sliders_of(model).items():
        expression[..., list(directions)] += change.moved.get(label, 0.0)
    changed = dataclasses.replace(c, expression=expression, light=c.light * change.light)
    with torch.no_grad():
        mesh = model(changed.map(lambda group: group[None]))
    mesh = dataclasses.replace(mesh, verts=mesh.verts[0], normals=mesh.normals[0], albedo=mesh.albedo[0])
    return dataclasses.replace(face, coefficients=changed, mesh=mesh)


def lit_colors(face: Reconstruction, turn: float) -> Float[Tensor, "N 3"]:
    """Give the colours of vertices when the light is turned about the vertical axis, degrees."""
    angle = math.radians(turn)
    back = face.mesh.verts.new_tensor(
        [[math.cos(angle), 0, -math.sin(angle)], [0, 1, 0], [math.sin(angle), 0, math.cos(angle)]]
    )
    normals = vertex_normals(face.mesh.verts, face.mesh.faces) @ back.T
    return (face.mesh.albedo * shade(normals, face.coefficients.light)).clamp(0, 1)


def shown_data(face: Reconstruction, change: Change, title: str = "") -> dict[str, object]:
    """Give what the viewer takes of a face that is changed."""
    changed = change_face(face, change)
    rows, triangles = changed.surface()
    colors = lit_colors(changed, change.turn)
    return viewer_data(changed.mesh.verts[rows], triangles, colors[rows], title)


def face_file(face: Reconstruction, change: Change, kind: Format) -> bytes:
    """Give the file of a face that is changed: OBJ with its light, GLB with the albedo; nothing is kept on disk."""
    changed = change_face(face, change)
    rows, triangles = changed.surface()
    colors = changed.mesh.albedo if kind == "glb" else lit_colors(changed, change.turn)
    with tempfile.TemporaryDirectory() as folder:
        path = write_mesh(Path(folder) / f"face.{kind}", changed.mesh.verts[rows], triangles, colors[rows])
        return path.read_bytes()


def difference(faces: Mapping[str, Reconstruction]) -> str:
    """Say how far the faces of two networks are apart; nothing where they cannot be compared."""
    if len(faces) != 2:
        return ""
    a, b = faces.values()
    if a.face_model.fingerprint != b.face_model.fingerprint or len(a.mesh.verts) != len(b.mesh.verts):
        return "The networks have different face models."
    rows, _ = a.surface()
    apart = float((a.mesh.verts - b.mesh.verts)[rows].norm(dim=-1).mean())
    return f"Mean distance of the two faces: {apart:.2f} mm, in the model's frame."


def check_networks(names: list[str]) -> None:
    """Refuse two networks of one name.

    Raises:
        MGCError: with the name.
    """
    if len(set(names)) != len(names):
        raise MGCError(f"Both networks are {names[0]}: choose two files")
