"""The photographs of a head on disk, with what is known of them, so that people and other programs can use them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from mgc_lightning.evaluation.scan.camera import take_photograph
from mgc_lightning.evaluation.scan.heads import ScanHead
from mgc_lightning.evaluation.scan.plan import PhotographPlan, describe
from mgc_lightning.evaluation.scan.settings import PhotographSettings
from mgc_lightning.evaluation.scan.surfaces import Surface
from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.files.text import json_text, write_json
from mgc_lightning.geometry.camera import project
from mgc_lightning.photographs.photos import read_photo
from mgc_lightning.rendering.renderer import FaceRenderer

VERSION = 1
"""Raised when the same plan no longer gives the same photographs."""
PHOTOGRAPHS, OWN_COLOURS = "photographs", "own_colours"
"""Folders below the head's: of the scan in its own colours, and of the fitted face model in painted ones."""
CONVENTION = (
    "X_cam = T X, OpenCV camera (x right, y down, z forward), mm; u = K X_cam / z, the centre of the first pixel is "
    "(.5, .5). Head frame: x to the viewer's right, y up, z toward the viewer; T_head_scan brings the scan's "
    "coordinates (in mm) to it. Points are exact projections, hidden ones included: iBUG's 68, or NoW's 7."
)


@dataclass(frozen=True)
class TakenPhotograph:
    """Name a photograph on disk, with its truth.

    Attributes:
        plan: how it was taken.
        path: of the JPEG.
        points: (68, 2) or (7, 2) exact projections, px.
        T_cam_scan: (4, 4) from the scan's frame in mm.
    """

    plan: PhotographPlan
    path: Path
    points: Float[Tensor, "P 2"]
    T_cam_scan: Float[NDArray, "4 4"]

    def read(self) -> Float[Tensor, "3 H W"]:
        """Read the photograph."""
        return read_photo(self.path)

    def project(self, points: Float[NDArray, "N 3"]) -> Float[Tensor, "N 2"]:
        """Project points (N, 3) of the scan's frame, mm: (N, 2) px."""
        cam = points @ self.T_cam_scan[:3, :3].T + self.T_cam_scan[:3, 3]
        return project(torch.from_numpy(cam), torch.from_numpy(self.plan.K)).float()


def take_photographs(
    surface: Surface,
    landmarks: Float[NDArray, "P 3"],
    head: ScanHead,
    plans: Sequence[PhotographPlan],
    folder: str | Path,
    settings: PhotographSettings,
    about: dict[str, Any] | None = None,
    on_photograph: Callable[[], None] | None = None,
) -> list[TakenPhotograph]:
    """Take photographs into a folder, with `truth.json`; those that are there already, of the same truth, stay.

    Args:
        surface: what is photographed, head's frame.
        landmarks: (P, 3) mm, scan's frame.
        head: whose it is.
        plans: of the photographs.
        folder: to write to.
        settings: of the photographs.
        about: what else the truth says.
        on_photograph: called after each.

    Example:
        Five photographs of a head of our own, from the left to the right.

        >>> import tempfile
        >>> from mgc_lightning import load_face_model, write_mesh
        >>> from mgc_lightning.evaluation.scan.heads import read_head
        >>> from mgc_lightning.evaluation.scan.plan import plan_photographs
        >>> from mgc_lightning.evaluation.scan.surfaces import scan_surface
        >>> model, folder, settings = load_face_model(), Path(tempfile.mkdtemp()), PhotographSettings(image_size=64)
        >>> np.save(folder / "anna.npy", model.landmarks68(model.mean).double().numpy())
        >>> scan = write_mesh(folder / "anna.ply", model.mean, model.faces, model.albedo_mean)
        >>> head = read_head(scan, votes="vertices")
        >>> surface, plans = scan_surface(head.mesh, head.T_head_scan), plan_photographs("anna", settings)[:5]
        >>> taken = take_photographs(surface, head.landmarks, head, plans, folder, settings)
        >>> [round(photograph.plan.yaw, -1) for photograph in taken], taken[0].read().shape
        ([-50.0, -20.0, 0.0, 20.0, 50.0], torch.Size([3, 64, 64]))
    """
    folder = Path(folder)
    taken = [_place(plan, landmarks, head, folder) for plan in plans]
    truth = _truth(taken, landmarks, head, settings, about or {})
    file = folder / "truth.json"
    known = file.is_file() and file.read_text(encoding="utf-8") == f"{json_text(truth)}\n"
    if not known:
        file.unlink(missing_ok=True)
    renderer = FaceRenderer()
    for photograph in taken:
        if not (known and photograph.path.is_file()):
            picture = take_photograph(surface, photograph.plan, settings.image_size, renderer)
            with atomic_path(photograph.path) as temporary:
                temporary.write_bytes(picture.jpeg)
        if on_photograph is not None:
            on_photograph()
    # Last, so that a truth never speaks of photographs that are not there.
    write_json(file, truth)
    return taken


def _place(plan: PhotographPlan, landmarks: Float[NDArray, "P 3"], head: ScanHead, folder: Path) -> TakenPhotograph:
    T_cam_scan = plan.T_cam_head @ head.T_head_scan
    blank = TakenPhotograph(plan, folder / f"{plan.name}.jpg", torch.empty(0, 2), T_cam_scan)
    return TakenPhotograph(plan, blank.path, blank.project(landmarks), T_cam_scan)


def _truth(
    taken: Sequence[TakenPhotograph],
    landmarks: Float[NDArray, "P 3"],
    head: ScanHead,
    settings: PhotographSettings,
    about: dict[str, Any],
) -> dict[str, Any]:
    key = f"landmarks{len(landmarks)}"
    return {
        "version": VERSION,
        "head": head.name,
        "convention": CONVENTION,
        "settings": {field.name: getattr(settings, field.name) for field in fields(PhotographSettings)},
        "T_head_scan": head.T_head_scan.tolist(),
        f"{key}_mm": np.round(landmarks, 4).tolist(),
        **about,
        "photographs": [
            {
                **describe(photograph.plan),
                "file": photograph.path.name,
                "T_cam_scan": photograph.T_cam_scan.tolist(),
                key: [[round(value, 3) for value in point] for point in photograph.points.tolist()],
            }
            for photograph in taken
        ],
    }
