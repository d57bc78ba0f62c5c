"""Meshes with a texture as GLB, and as OBJ with its material and its picture."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from jaxtyping import Float, Int
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.pictures.drawing import Picture, save_png

_LINEAR, _CLAMP = 9729, 33071
"""OpenGL's numbers, which glTF uses."""


def write_textured_glb(
    path: str | os.PathLike[str],
    verts: Float[Tensor, "N 3"],
    faces: Int[Tensor, "F 3"],
    normals: Float[Tensor, "N 3"],
    uv: Float[Tensor, "F 3 2"],
    texture: Picture,
) -> Path:
    """Write a mesh whose triangles have texture coordinates of their own; whole or not at all.

    The light is in the texture already, so the material is unlit (KHR_materials_unlit). The texture is not mipmapped:
    triangles that are neighbours in it need not be on the face.

    Args:
        path: a .glb.
        verts: (N, 3) mm; kept under a node scaled to glTF's metres.
        faces: (F, 3) vertex indices.
        normals: (N, 3) unit vectors.
        uv: (F, 3, 2) px of the texture.
        texture: (S, S, 3).
    """
    corners = faces.reshape(-1).cpu()
    material = trimesh.visual.material.PBRMaterial(
        baseColorTexture=Image.fromarray(texture), metallicFactor=0.0, roughnessFactor=1.0, doubleSided=True
    )
    model = trimesh.Trimesh(
        verts.detach().cpu().numpy()[corners].astype(np.float64),
        np.arange(len(corners)).reshape(-1, 3),
        vertex_normals=normals.detach().cpu().numpy()[corners].astype(np.float64),
        visual=trimesh.visual.TextureVisuals(uv=_from_below(uv, texture), material=material),
        process=False,
    )
    scene = trimesh.Scene()
    scene.add_geometry(model, node_name="face", transform=np.diag([0.001, 0.001, 0.001, 1.0]))
    data = trimesh.exchange.gltf.export_glb(scene, include_normals=True, tree_postprocessor=_unlit_without_mipmaps)
    target = Path(path)
    with atomic_path(target) as temporary:
        temporary.write_bytes(data)
    return target


def write_textured_obj(
    path: str | os.PathLike[str],
    verts: Float[Tensor, "N 3"],
    faces: Int[Tensor, "F 3"],
    normals: Float[Tensor, "N 3"],
    uv: Float[Tensor, "F 3 2"],
    texture: Picture,
) -> list[Path]:
    """Write a textured mesh as OBJ, with NAME.mtl and NAME.png beside it; each whole or not at all.

    Vertices stay shared, in their order; every triangle has texture coordinates of its own, v counted from below.

    Args:
        path: a .obj.
        verts: (N, 3) mm.
        faces: (F, 3) vertex indices.
        normals: (N, 3) unit vectors.
        uv: (F, 3, 2) px of the texture.
        texture: (S, S, 3).

    Returns:
        The OBJ, the material and the picture.

    Example:
        >>> import tempfile, torch
        >>> verts, normals = torch.tensor([[0.0, 0, 0], [9, 0, 0], [0, 9, 0]]), torch.tensor([[0.0, 0, 1]]).repeat(3, 1)
        >>> faces, uv = torch.tensor([[0, 1, 2]]), torch.tensor([[[1.0, 1], [7, 1], [1, 7]]])
        >>> red = np.tile(np.array([255, 0, 0], np.uint8), (8, 8, 1))
        >>> files = write_textured_obj(f"{tempfile.mkdtemp()}/face.obj", verts, faces, normals, uv, red)
        >>> [file.name for file in files]
        ['face.obj', 'face.mtl', 'face.png']
    """
    target = Path(path)
    material, picture = target.with_suffix(".mtl"), target.with_suffix(".png")
    lines = [f"mtllib {material.name}", "o face"]
    lines += ["v %.6g %.6g %.6g" % tuple(row) for row in verts.detach().cpu().tolist()]  # noqa: UP031
    lines += ["vt %.6f %.6f" % tuple(row) for row in _from_below(uv, texture).tolist()]  # noqa: UP031
    lines += ["vn %.5f %.5f %.5f" % tuple(row) for row in normals.detach().cpu().tolist()]  # noqa: UP031
    lines.append("usemtl face")
    for number, triangle in enumerate((faces.cpu() + 1).tolist()):
        corners = (f"{vertex}/{3 * number + corner}/{vertex}" for corner, vertex in enumerate(triangle, start=1))
        lines.append("f " + " ".join(corners))
    save_png(picture, texture)
    # The light is in the texture already: illumination model 0 shows colours as they are.
    described = f"newmtl face\nKa 0 0 0\nKd 1 1 1\nKs 0 0 0\nillum 0\nmap_Kd {picture.name}\n"
    for file, text in ((material, described), (target, "\n".join(lines) + "\n")):
        with atomic_path(file) as temporary:
            temporary.write_text(text, encoding="ascii")
    return [target, material, picture]


def _from_below(uv: Float[Tensor, "F 3 2"], texture: Picture) -> Float[NDArray, "3*F 2"]:
    """Turn px into texture coordinates whose v is counted from below: OBJ's, and trimesh's before it turns glTF's."""
    places = (uv.reshape(-1, 2) / texture.shape[0]).cpu().numpy().astype(np.float64)
    places[:, 1] = 1 - places[:, 1]
    return places


def _unlit_without_mipmaps(tree: dict[str, Any]) -> None:
    tree["samplers"] = [{"magFilter": _LINEAR, "minFilter": _LINEAR, "wrapS": _CLAMP, "wrapT": _CLAMP}]
    for texture in tree.get("textures", []):
        texture["sampler"] = 0
    for material in tree.get("materials", []):
        material.setdefault("extensions", {})["KHR_materials_unlit"] = {}
    tree["extensionsUsed"] = sorted({*tree.get("extensionsUsed", []), "KHR_materials_unlit"})
