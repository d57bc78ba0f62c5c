"""Meshes with a texture image, or with vertex colours, as scanners write them: OBJ with MTL, PLY, GLB."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh
from jaxtyping import Float, Int
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.files.glb import glb_colors, read_glb_scene
from mgc_lightning.files.images import check_size
from mgc_lightning.files.mesh import read_mesh
from mgc_lightning.files.names import inside, safe_name
from mgc_lightning.files.plain_obj import tidy_obj
from mgc_lightning.files.reading import reading
from mgc_lightning.files.text import read_text

SUFFIXES = (".obj", ".ply", ".glb")
LARGEST = 4096
"""Longest side in px of an image; larger ones are shrunk, for memory."""
MOST_BYTES = 2**31
"""Of an OBJ that is searched for its materials."""
FLAT = 8
"""Side in px of the image that stands for a material of one colour."""


@dataclass(frozen=True)
class TexturedMesh:
    """Hold a coloured surface.

    Attributes:
        points: (M, 3) float64, the vertices of the file, in its unit, number and order: what scan protocols count.
        verts: (N, 3) float64, the vertices of the surface as it is drawn, split where the texture has seams.
        faces: (F, 3) int64 indices into `verts`.
        uv: (N, 2) float64 places in the texture, right and down, in [0, 1]; None without a texture.
        texture: (3, H, W) float32 RGB in [0, 1], display space; None without one.
        colors: (N, 3) float64 in [0, 1], display space, where there is no texture.
    """

    points: Float[NDArray, "M 3"]
    verts: Float[NDArray, "N 3"]
    faces: Int[NDArray, "F 3"]
    uv: Float[NDArray, "N 2"] | None = None
    texture: Float[Tensor, "3 H W"] | None = None
    colors: Float[NDArray, "N 3"] | None = None


def read_textured_mesh(path: str | os.PathLike[str]) -> TexturedMesh:
    """Read a mesh with its colours.

    An OBJ names its images in an MTL file beside it, a PLY by `comment TextureFile`, a GLB holds them; several
    images are put side by side. Without an image the colours of the vertices are taken. Of a GLB the transforms of
    the nodes are applied, so its unit is glTF's metre where the writer kept to it.

    Raises:
        MGCError: if the file cannot be read as a mesh, or has neither an image nor colours, or its image is missing.

    Example:
        >>> import tempfile
        >>> from mgc_lightning import write_mesh
        >>> verts, red = [[0, 0, 0], [10, 0, 0], [0, 10, 0]], [[1, 0, 0]] * 3
        >>> scan = read_textured_mesh(write_mesh(Path(tempfile.mkdtemp()) / "scan.ply", verts, [[0, 1, 2]], red))
        >>> scan.points.shape, scan.texture, scan.colors[0].tolist()
        ((3, 3), None, [1.0, 0.0, 0.0])
    """
    source = Path(path)
    if source.suffix.lower() not in SUFFIXES:
        raise MGCError(f"{source}: expected a scan among {SUFFIXES}, got {source.suffix!r}")
    if not source.is_file():
        raise MGCError(f"{source}: no such scan")
    with reading(source, "could not be read as a textured mesh"):
        return _read(source)


def _read(source: Path) -> TexturedMesh:
    if source.suffix.lower() == ".glb":
        parts = _parts(read_glb_scene(source), source)
        verts, faces = _joined(parts)
        # A GLB splits vertices at seams: scan protocols would count those twice.
        return _with_images(np.unique(verts, axis=0), verts, faces, parts, source, {}) or TexturedMesh(
            np.unique(verts, axis=0), verts, faces, colors=_glb_colors(parts, source)
        )
    # The careful reader first: its messages name what is wrong with a file, and it knows more dialects.
    plain, named = read_mesh(source), _named_images(source)
    if named:
        parts = _parts(_load(source), source)
        textured = _with_images(plain.verts, *_joined(parts), parts, source, named)
        if textured is not None:
            return textured
    if plain.colors is None:
        raise MGCError(f"{source}: neither a texture image nor colours of the vertices; expected one of them")
    return TexturedMesh(plain.verts, plain.verts, plain.faces, colors=plain.colors)


def _load(source: Path) -> trimesh.Scene:
    """Load an OBJ, tidied, or a PLY, with its materials."""
    data = source.read_bytes()
    stream = io.BytesIO(tidy_obj(data) if source.suffix.lower() == ".obj" else data)
    resolver = trimesh.resolvers.FilePathResolver(str(source))
    return trimesh.load_scene(stream, file_type=source.suffix[1:].lower(), resolver=resolver, process=False)


def _with_images(
    points: NDArray,
    verts: NDArray,
    faces: NDArray,
    parts: list[trimesh.Trimesh],
    source: Path,
    named: dict[str, str],
) -> TexturedMesh | None:
    """Give a mesh with the images of its parts; None where no part has one."""
    images = [_image(part, source, named) for part in parts]
    if all(image is None for image in images):
        return None
    uv, texture = _side_by_side(parts, images)
    return TexturedMesh(points, verts, faces, uv, texture)


def _joined(parts: list[trimesh.Trimesh]) -> tuple[NDArray, NDArray]:
    verts = np.concatenate([part.vertices for part in parts]).astype(np.float64)
    offsets = np.cumsum([0, *(len(part.vertices) for part in parts[:-1])])
    faces = np.concatenate([part.faces + offset for part, offset in zip(parts, offsets, strict=True)]).astype(np.int64)
    return verts, faces


def _parts(scene: trimesh.Scene, source: Path) -> list[trimesh.Trimesh]:
    parts = [_placed(scene, node) for node in scene.graph.nodes_geometry]
    parts = [part for part in parts if isinstance(part, trimesh.Trimesh) and len(part.faces)]
    if not parts:
        raise MGCError(f"{source}: expected a mesh with faces, found none")
    return parts


def _placed(scene: trimesh.Scene, node: str) -> Any:
    transform, name = scene.graph[node]
    part = scene.geometry[name].copy()
    part.apply_transform(transform)
    return part


def _image(part: trimesh.Trimesh, source: Path, named: dict[str, str]) -> Image.Image | None:
    """Give the image of a part, or None if it has only colours."""
    visual: Any = part.visual
    if visual.kind != "texture" or getattr(visual, "uv", None) is None:
        return None
    image = getattr(visual.material, "image", None) or getattr(visual.material, "baseColorTexture", None)
    if source.suffix.lower() == ".glb":
        return None if image is None else _shrunk(image, source)
    # trimesh makes up an image where the file names none, and says nothing where the one that it names is missing.
    name = named.get("" if source.suffix.lower() == ".ply" else str(visual.material.name))
    if name is None:
        return None
    if image is None:
        raise MGCError(f"{source}: its texture {name} is not there, or is no image; put it beside the scan")
    return _shrunk(image, source)


def _shrunk(image: Image.Image, source: object) -> Image.Image:
    check_size(image.size, source)
    factor = LARGEST / max(image.size)
    rgb = image.convert("RGB")
    size = [max(1, round(side * factor)) for side in image.size]
    return rgb.resize((size[0], size[1]), Image.Resampling.BOX) if factor < 1 else rgb


def _named_images(source: Path) -> dict[str, str]:
    """Read which images a file asks for: material -> file; of a PLY, which has no materials, under no name.

    Raises:
        MGCError: if an OBJ names an MTL file that is not there.
    """
    if source.suffix.lower() == ".ply":
        head = source.read_bytes()[:65536].split(b"end_header")[0].decode("utf-8", errors="replace")
        comments = [line.split(maxsplit=2) for line in head.splitlines()]
        names = [words[2] for words in comments if len(words) == 3 and words[1].lower() == "texturefile"]
        return {"": safe_name(names[0].strip(), source, nested=True)} if names else {}
    images: dict[str, str] = {}
    for words in _lines(source, ("mtllib",)) if source.suffix.lower() == ".obj" else ():
        library = inside(source.parent, words[1], source, nested=True)
        if not library.is_file():
            raise MGCError(
                f"{source}: its materials {words[1]} are not there; put them, and the image, beside the scan"
            )
        material = ""
        for keyword, value in _lines(library, ("newmtl", "map_Kd")):
            if keyword == "newmtl":
                material = value
            else:
                name = value.split()[-1] if value.startswith("-") else value
                images[material] = safe_name(name, library, nested=True)
    return images


def _lines(path: Path, keywords: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Give keyword and rest of the lines that begin with one of the keywords."""
    for line in read_text(path, others="replace", most=MOST_BYTES).splitlines():
        words = line.split(maxsplit=1)
        if len(words) == 2 and words[0] in keywords:
            yield words[0], words[1].strip()


def _side_by_side(
    parts: list[trimesh.Trimesh], images: list[Image.Image | None]
) -> tuple[Float[NDArray, "N 2"], Float[Tensor, "3 H W"]]:
    """Put the images of all parts into one, and move the parts' places with them."""
    filled = [image if image is not None else _flat(part) for part, image in zip(parts, images, strict=True)]
    different: list[Image.Image] = []
    for image in filled:
        if not any(image is other or _same(image, other) for other in different):
            different.append(image)
    width, height = sum(image.width for image in different), max(image.height for image in different)
    ground = np.zeros((height, width, 3), np.uint8)
    left = np.cumsum([0, *(image.width for image in different)])
    for image, start in zip(different, left, strict=False):
        ground[: image.height, start : start + image.width] = np.asarray(image)
    places = []
    for part, image in zip(parts, filled, strict=True):
        index = next(i for i, other in enumerate(different) if image is other or _same(image, other))
        uv = getattr(part.visual, "uv", None)
        uv = np.full((len(part.vertices), 2), 0.5) if uv is None else np.asarray(uv, np.float64)[:, :2]
        # trimesh counts v from below. Half a texel inside the edge, so that the image beside does not shine through.
        u = (uv[:, 0] * image.width).clip(0.5, image.width - 0.5)
        v = ((1 - uv[:, 1]) * image.height).clip(0.5, image.height - 0.5)
        places.append(np.stack([(left[index] + u) / width, v / height], axis=1))
    texture = torch.from_numpy(ground).permute(2, 0, 1).float() / 255
    return np.concatenate(places), texture


def _same(a: Image.Image, b: Image.Image) -> bool:
    return a.size == b.size and a.tobytes() == b.tobytes()


def _flat(part: trimesh.Trimesh) -> Image.Image:
    """Give an image of one colour for a part without one: its material's, or the mean of its vertices."""
    visual: Any = part.visual
    color = np.asarray((visual.material if visual.kind == "texture" else visual).main_color)
    return Image.new("RGB", (FLAT, FLAT), tuple(int(value) for value in color[:3]))


def _glb_colors(parts: list[trimesh.Trimesh], source: Path) -> Float[NDArray, "N 3"]:
    found = [glb_colors(part, source) for part in parts]
    colors = [each for each in found if each is not None]
    if len(colors) < len(parts):
        raise MGCError(f"{source}: neither a texture image nor colours of the vertices; expected one of them")
    return np.concatenate(colors)
