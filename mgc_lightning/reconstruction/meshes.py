"""The meshes of one reconstructed face."""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.files.mesh import write_mesh
from mgc_lightning.reconstruction.atlas import make_atlas
from mgc_lightning.reconstruction.face import PlacedFace
from mgc_lightning.reconstruction.surface import textured_surface
from mgc_lightning.reconstruction.texture import bake_texture
from mgc_lightning.reconstruction.textured_mesh import write_textured_glb, write_textured_obj
from mgc_lightning.rendering.renderer import FaceRenderer


def write_meshes(
    face: PlacedFace,
    folder: str | Path,
    face_model: FaceModel,
    *,
    neutral: bool = False,
    full_head: bool = False,
) -> list[Path]:
    """Write a face's meshes in mm, model frame, pose not applied.

    `face.obj` and `face.ply` have lit vertex colours, `face.glb` the albedo, since viewers bring their light. They hold
    the face without ears, scalp and neck; `head.*` hold every vertex of the face model in its order.

    Args:
        face: the reconstruction.
        folder: to write to.
        face_model: that of the reconstruction.
        neutral: write `neutral.obj` too, the shape without expression (and `head_neutral.obj` with `full_head`).
        full_head: write `head.obj`, `head.ply` and `head.glb` too.
    """
    folder = Path(folder)
    index, faces = compact(face_model.face_region_faces)
    parts: dict[str, tuple[Tensor, Tensor]] = {"face": (index, faces)}
    if full_head:
        parts["head"] = (torch.arange(face_model.num_verts, device=index.device), face_model.faces)
    written = []
    for name, (rows, triangles) in parts.items():
        verts, lit, albedo = face.mesh.verts[rows], face.colors[rows], face.mesh.albedo[rows]
        written += [write_mesh(folder / f"{name}{suffix}", verts, triangles, lit) for suffix in (".obj", ".ply")]
        written.append(write_mesh(folder / f"{name}.glb", verts, triangles, albedo))
        if neutral:
            shape = face_model.shape(face.coefficients.identity)[rows]
            target = "neutral.obj" if name == "face" else f"{name}_neutral.obj"
            written.append(write_mesh(folder / target, shape, triangles, albedo))
    return written


def write_textured(face: PlacedFace, folder: str | Path, face_model: FaceModel, renderer: FaceRenderer) -> list[Path]:
    """Write `face_textured.glb` and `face_textured.obj` (with `.mtl` and `.png`), in mm, model frame.

    They have the photograph's colours where it shows the surface, are cut along a smooth rim, and closed behind the
    lips.

    Args:
        face: the reconstruction.
        folder: to write to.
        face_model: that of the reconstruction.
        renderer: finds what the photograph shows.
    """
    folder = Path(folder)
    surface = textured_surface(face_model).mesh(face.mesh)
    atlas = make_atlas(len(surface.faces))
    texture, _ = bake_texture(face, surface.faces, atlas, renderer, surface)
    parts = (surface.verts, surface.faces, surface.normals, atlas.uv, texture)
    return [
        write_textured_glb(folder / "face_textured.glb", *parts),
        *write_textured_obj(folder / "face_textured.obj", *parts),
    ]


def write_neutral(face: PlacedFace, path: str | Path, face_model: FaceModel) -> Path:
    """Write the face without ears, scalp and neck, and without expression."""
    path = Path(path)
    index, faces = compact(face_model.face_region_faces)
    return write_mesh(path, face_model.shape(face.coefficients.identity)[index], faces, face.mesh.albedo[index])


def compact(faces: Int[Tensor, "F 3"]) -> tuple[Int[Tensor, " M"], Int[Tensor, "F 3"]]:
    """Number the vertices of some triangles anew: (M,) the vertices that they use, and the triangles in their numbers.

    Example:
        >>> index, triangles = compact(torch.tensor([[5, 2, 9]]))
        >>> index.tolist(), triangles.tolist()
        ([2, 5, 9], [[1, 0, 2]])
    """
    index, numbers = torch.unique(faces, return_inverse=True)
    return index, numbers.reshape(faces.shape)
