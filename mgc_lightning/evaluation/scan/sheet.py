"""A sheet of a head: photographs, overlays, meshes from the front and turned, maps of the errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from mgc_lightning.evaluation.now.error_map import vertex_errors
from mgc_lightning.evaluation.photo_sets import evenly
from mgc_lightning.evaluation.scan.crops import TITLES
from mgc_lightning.evaluation.scan.faces import PredictedFace
from mgc_lightning.evaluation.scan.head_result import HeadResult, photographs_of
from mgc_lightning.evaluation.scan.plan import camera_around
from mgc_lightning.evaluation.scan.references import limit_face, mean_face
from mgc_lightning.evaluation.scan.score import score_mesh
from mgc_lightning.evaluation.scan.surfaces import scan_surface
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.geometry.mesh import vertex_normals
from mgc_lightning.metrics.now.evaluate import PredictionError
from mgc_lightning.pictures.drawing import BACKGROUND, Picture, overlay, save_png, to_picture
from mgc_lightning.pictures.error_ramp import color_bar, error_colors
from mgc_lightning.pictures.figures import Style, draw_face
from mgc_lightning.pictures.landmarks import draw_landmarks
from mgc_lightning.pictures.sheets import label, sheet
from mgc_lightning.reconstruction.pictures import draw_in_photograph
from mgc_lightning.rendering.renderer import FaceRenderer, render_attributes
from mgc_lightning.rendering.textured import sample_texture
from mgc_lightning.structures import FaceMesh

COLUMNS = ("photograph", "overlay", "points", "colours", "shape", "shape, turned", "error, mm")
ERROR_LIMIT = 5.0
"""mm that get the last colour."""
TURN = 40.0
"""Degrees of the turned view."""
VIEW_DISTANCE, VIEW_HIGH = 1500.0, 300.0
"""mm from the camera to the meshes, and mm that their pictures are high."""
ROWS = 8
"""Photographs on a sheet."""
TRUE_COLOR, PREDICTED_COLOR = (90, 230, 90), (255, 90, 90)


def write_sheet(result: HeadResult, face_model: FaceModel, path: Path, tile: int = 200) -> Path:
    """Draw the sheet of a head: the scan, the mean face, the limit, then photographs with what became of them.

    Photographs are chosen evenly, of the first column that has faces (a detector's crops where there are any); then one
    group of each kind of several photographs, and one picture in our own colours.
    """
    drawer = _Drawer(result, face_model, tile)
    rows, names = [drawer.scan_row()], ["the scan"]
    for name, face in (("mean face", mean_face(face_model)), ("limit", limit_face(result.fit, face_model))):
        rows.append(drawer.row(None, None, face))
        names.append(name)
    for title, number, column, face in _choose(result):
        photograph = photographs_of(result, column)[number]
        rows.append(drawer.row(photograph.read(), photograph.points, face))
        names.append(f"{title}: {photograph.plan.name}")
    return save_png(path, sheet(rows, COLUMNS, names, tile=tile))


def _choose(result: HeadResult) -> list[tuple[str, int, str, PredictedFace]]:
    chosen: list[tuple[str, int, str, PredictedFace]] = []
    columns = [column for column in result.faces if column != "own"]
    if columns:
        column = columns[0]
        places = [i for i, face in enumerate(result.faces[column]) if face is not None]
        chosen += [
            (_title(column), i, column, face)
            for i in (evenly(places, ROWS) if places else [])
            if (face := result.faces[column][i]) is not None
        ]
    seen = set()
    for (column, method, group), faces in result.groups.items():
        if method not in seen:
            seen.add(method)
            middle = len(group) // 2
            chosen.append((f"{method}, {_title(column)}", group[middle], column, faces[middle]))
    own = [(abs(result.own[i].plan.yaw), i, face) for i, face in enumerate(result.faces.get("own", [])) if face]
    if own:
        _, place, face = min(own, key=lambda one: one[0])
        chosen.append((_title("own"), place, "own", face))
    return chosen


def _title(column: str) -> str:
    return TITLES.get(column, column)  # type: ignore[call-overload]


class _Drawer:
    """Draw meshes where they were scored, in the head's frame, all by the same camera."""

    def __init__(self, result: HeadResult, face_model: FaceModel, tile: int) -> None:
        self.result, self.model, self.tile = result, face_model, tile
        self.renderer = FaceRenderer()
        focal = tile * VIEW_DISTANCE / VIEW_HIGH
        self.K = torch.tensor([[focal, 0, tile / 2], [0, focal, tile / 2], [0, 0, 1]])
        middle = np.array([0.0, 10.0, VIEW_DISTANCE])
        self.views = [torch.from_numpy(camera_around(yaw, 0, 0, middle)).float()[None] for yaw in (0.0, TURN)]

    def scan_row(self) -> list[Picture | None]:
        """Draw the scan itself."""
        surface = scan_surface(self.result.head.mesh, self.result.head.T_head_scan)
        large = 2 * self.tile
        K = self.K * torch.tensor([2.0, 2.0, 1.0])[:, None]
        T = self.views[0][0]
        fragments = self.renderer.rasterize((surface.verts @ T[:3, :3].T + T[:3, 3])[None], surface.faces, K, large)
        if surface.texture is not None and surface.uv is not None:
            colors = sample_texture(fragments, surface.uv, surface.texture)
        else:
            assert surface.colors is not None, "a surface has a texture or colours"
            colors = render_attributes(fragments, surface.colors[None])
        ground = torch.tensor(BACKGROUND)[:, None, None] / 255
        picture = torch.where(fragments.mask, colors[0], ground)
        grey = [self._shape(surface.verts, surface.faces, surface.normals, view) for view in self.views]
        return [None, None, None, to_picture(picture), *grey, color_bar(ERROR_LIMIT, height=self.tile)]

    def row(
        self, photograph: Tensor | None, points: Float[Tensor, "P 2"] | None, face: PredictedFace
    ) -> list[Picture | None]:
        """Draw a face, on its photograph and by itself."""
        error = score_mesh(self.result.head, face)
        verts = self._in_head(error.to_scan(face.verts.double().numpy()))
        normals = vertex_normals(verts, face.faces)
        colors = torch.full_like(verts, 0.6) if face.colors is None else face.colors
        grey = [self._shape(verts, face.faces, normals, view) for view in self.views]
        return [
            None if photograph is None else to_picture(photograph),
            None if face.reconstruction is None else self._overlay(face),
            None if photograph is None or points is None else self._points(photograph, points, face),
            self._painted(verts, face.faces, normals, colors, self.views[0]),
            *grey,
            self._errors(error, verts, face, normals),
        ]

    def _in_head(self, points: Float[NDArray, "N 3"]) -> Float[Tensor, "N 3"]:
        T = self.result.head.T_head_scan
        return torch.from_numpy(points @ T[:3, :3].T + T[:3, 3]).float()

    def _overlay(self, face: PredictedFace) -> Picture:
        assert face.reconstruction is not None
        return draw_in_photograph(face.reconstruction, self.model, self.renderer)

    def _points(self, photograph: Tensor, points: Float[Tensor, "P 2"], face: PredictedFace) -> Picture:
        # Around the face: at the size of a tile the points of a whole photograph are one blot.
        low, high = points.amin(0), points.amax(0)
        margin = 0.25 * float((high - low).max())
        x0, y0 = (low - margin).clamp(min=0).floor().int().tolist()
        x1, y1 = (high + margin).ceil().int().tolist()
        part, origin = photograph[:, y0:y1, x0:x1], torch.tensor([x0, y0])
        picture = draw_landmarks(part, points - origin, TRUE_COLOR)
        if face.landmarks is None:
            return picture
        scale = picture.shape[0] / part.shape[1]
        return draw_landmarks(picture, (face.landmarks - origin) * scale, PREDICTED_COLOR)

    def _shape(self, verts: Tensor, faces: Int[Tensor, "F 3"], normals: Tensor, view: Tensor) -> Picture:
        return self._draw(FaceMesh(verts[None], faces, normals[None], torch.zeros_like(verts)[None]), view, "geometry")

    def _painted(self, verts: Tensor, faces: Tensor, normals: Tensor, colors: Tensor, view: Tensor) -> Picture:
        return self._draw(FaceMesh(verts[None], faces, normals[None], colors[None]), view, "painted", colors[None])

    def _draw(self, mesh: FaceMesh, view: Tensor, style: Style, colors: Tensor | None = None) -> Picture:
        figure = draw_face(self.renderer, mesh, view, self.K, self.tile, style, colors=colors)
        ground = (torch.tensor(BACKGROUND)[:, None, None] / 255).expand_as(figure.image[0])
        return overlay(ground, figure.image[0], figure.alpha[0])

    def _errors(self, error: PredictionError, verts: Tensor, face: PredictedFace, normals: Tensor) -> Picture:
        errors = vertex_errors(self.result.head.scan, error, face.verts.double().numpy())
        colors = error_colors(torch.from_numpy(errors), ERROR_LIMIT).float()
        half = torch.from_numpy(camera_around(TURN / 2, 0, 0, np.array([0.0, 10.0, VIEW_DISTANCE]))).float()[None]
        picture = self._painted(verts, face.faces, normals, colors, half)
        return label(picture, f"median {np.median(error.distances):.2f}")
