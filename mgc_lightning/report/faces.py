"""Pictures and faces that turn, as figures of a page; what cannot be shown is told in its place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from mgc_lightning.errors import MGCError
from mgc_lightning.files.images import open_image
from mgc_lightning.files.mesh import MeshFile, read_mesh
from mgc_lightning.pictures.embedding import data_uri
from mgc_lightning.pictures.viewer import MOST_TRIANGLES, viewer_data, viewer_frame
from mgc_lightning.report.markup import Html, tag

MOST_BYTES = 64 * 2**20
"""Of a mesh that is shown."""
SIDE = 1600
"""Longer side in px that pictures are shrunk to."""


def picture_figure(path: Path, caption: object, side: int = SIDE) -> Html:
    """Show a picture of a file."""
    try:
        with open_image(path) as opened:
            opened.thumbnail((side, side))
            shown = Image.new("RGB", opened.size, "white")
            shown.paste(opened.convert("RGB"), mask=opened.convert("RGBA").getchannel("A"))
        return tag("figure", tag("img", src=data_uri(np.asarray(shown)), alt=caption), tag("figcaption", caption))
    except MGCError as error:
        return not_shown(caption, error)


def mesh_figure(path: Path, caption: str, height: int = 320) -> Html:
    """Show the mesh of a file, turning."""
    return meshes_figure([path], caption, height)


def meshes_figure(paths: list[Path], caption: str, height: int = 320) -> Html:
    """Show the meshes of files as one, turning."""
    try:
        meshes = [_read(path) for path in paths]
        starts = np.cumsum([0, *(len(mesh.verts) for mesh in meshes)])
        verts = np.concatenate([mesh.verts for mesh in meshes])
        faces = np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts, strict=False)])
        grey = [np.full(mesh.verts.shape, 0.72) if mesh.colors is None else mesh.colors for mesh in meshes]
        return tag(
            "figure",
            Html(viewer_frame(viewer_data(verts, faces, np.concatenate(grey), caption), height)),
            tag("figcaption", caption),
        )
    except MGCError as error:
        return not_shown(caption, error)


def not_shown(caption: object, error: MGCError) -> Html:
    """Say why something is not shown."""
    return tag("figure", tag("figcaption", caption, ": not shown. ", error))


def _read(path: Path) -> MeshFile:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise MGCError(f"{path}: {error.strerror}") from error
    if size > MOST_BYTES:
        raise MGCError(f"{path}: {size >> 20} MiB is more than a page shows")
    mesh = read_mesh(path)
    if len(mesh.faces) > MOST_TRIANGLES:
        raise MGCError(f"{path}: {len(mesh.faces)} triangles are more than a page shows ({MOST_TRIANGLES})")
    return mesh
