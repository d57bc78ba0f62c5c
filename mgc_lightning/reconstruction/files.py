"""What `mgc reconstruct` leaves behind for one face: pictures, meshes, landmarks, coefficients, camera."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from mgc_lightning.errors import check_choice
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.files.text import write_json
from mgc_lightning.pictures.drawing import PNG_LEVEL, save_jpeg, save_png
from mgc_lightning.reconstruction.face import PlacedFace
from mgc_lightning.reconstruction.maps import (
    GeometryMaps,
    depth_steps,
    depth_unit,
    draw_depth,
    draw_normals,
    geometry_maps,
)
from mgc_lightning.reconstruction.meshes import write_meshes, write_textured
from mgc_lightning.reconstruction.pictures import FacePictures
from mgc_lightning.reconstruction.settings import PARTS, Part
from mgc_lightning.rendering.renderer import FaceRenderer

CONVENTION = (
    "OpenCV camera: X_cam = R X_model + t in mm, x right, y down, z forward; u = K X_cam / z; "
    "the centre of the first pixel is (.5, .5). Model frame: x to the viewer's right, y up, z toward the viewer."
)


PICTURES: dict[Part, tuple[str, ...]] = {
    "overlay": ("overlay",),
    "geometry": ("geometry",),
    "crop": ("crop", "crop_overlay", "crop_albedo", "crop_light", "crop_geometry"),
    "views": ("main_pose", "main_pose_geometry"),
    "points": ("landmarks",),
    "sheet": ("sheet",),
}
"""The pictures of each part, by the names of their files."""


def write_reconstruction(
    face: PlacedFace,
    folder: str | os.PathLike[str],
    face_model: FaceModel,
    renderer: FaceRenderer | None = None,
    *,
    write: Sequence[Part] = PARTS,
    neutral: bool = False,
    full_head: bool = False,
    jpeg: bool = False,
) -> list[Path]:
    """Write what is known about one face, or some parts of it.

    - `mesh`: `face.obj`, `face.ply`, `face.glb`, see `write_meshes`; `texture`: `face_textured.*`, see
      `write_textured`.
    - `coefficients`: `coefficients.json` and `camera.json` (of the photograph and of the crop, and the similarity
      between them).
    - `landmarks`: `landmarks.txt`, `landmarks_crop.txt` (68 lines `x,y` in px after a line with their number) and
      `landmarks3d.txt` (`x,y,z` in mm, model frame).
    - `overlay` and `geometry`: `overlay.png`, `geometry.png`, the lit face and its grey shape on the photograph, in its
      own pixels; `points`: `landmarks.png`, likewise.
    - `depth`: `depth.png` (16 bits, steps of `depth_unit_mm` of `camera.json`, 0 where there is no face),
      `depth_colour.png` for the eye, and `normals.png` (red right, green up, blue toward the camera), likewise.
    - `crop`: `crop.png`, `crop_overlay.png`, `crop_geometry.png`, `crop_albedo.png`, `crop_light.png`: the same, the
      colours without light, and the light on grey, in the aligned crop; `views`: `main_pose.png`,
      `main_pose_geometry.png`, from the front; `sheet`: `sheet.png`, all at a glance, with side views.

    Args:
        face: the reconstruction.
        folder: created if need be; files of the same names are replaced.
        face_model: that of the reconstruction.
        renderer: the automatic one if not given.
        write: the parts.
        neutral: write the neutral shape too, with the part `mesh`.
        full_head: write the whole head too, with the part `mesh`.
        jpeg: write `overlay`, `geometry` and `landmarks` as `.jpg`: of large photographs in a tenth of the time.

    Returns:
        The files.

    Raises:
        MGCError: if a part is unknown, or the folder cannot be written to.

    Example:
        >>> from mgc_lightning import FaceReconstructor
        >>> reconstructor = FaceReconstructor.from_pretrained()  # doctest: +SKIP
        >>> face = reconstructor.reconstruct("anna.jpg")  # doctest: +SKIP
        >>> files = write_reconstruction(face, "faces/anna", reconstructor.face_model, neutral=True)  # doctest: +SKIP
    """
    for part in write:
        check_choice("write", part, Part)
    target = Path(folder)
    renderer = renderer or FaceRenderer()
    written: list[Path] = []
    pictures = FacePictures(face, face_model, renderer)
    for part in (part for part in PICTURES if part in write):
        if jpeg and part in ("overlay", "geometry", "points"):
            written += [save_jpeg(target / f"{name}.jpg", pictures[name]) for name in PICTURES[part]]
        else:
            written += [save_png(target / f"{name}.png", pictures[name]) for name in PICTURES[part]]
    unit = None
    if "depth" in write:
        maps = geometry_maps(face, renderer, face_model.face_region_faces)
        unit = depth_unit(maps)
        written += _write_depth(target, maps)
    if "mesh" in write:
        written += write_meshes(face, target, face_model, neutral=neutral, full_head=full_head)
    if "texture" in write:
        written += write_textured(face, target, face_model, renderer)
    if "landmarks" in write:
        written += _write_landmarks(target, face)
    if "coefficients" in write:
        written.append(write_json(target / "coefficients.json", describe_coefficients(face, face_model)))
        written.append(write_json(target / "camera.json", describe_camera(face, unit)))
    return written


def describe_coefficients(face: PlacedFace, face_model: FaceModel) -> dict[str, Any]:
    """Put the coefficients into words and plain numbers.

    Example:
        >>> import torch
        >>> from mgc_lightning import FaceReconstructor
        >>> from mgc_lightning.losses.identity import TEMPLATE_68
        >>> reconstructor = FaceReconstructor.from_pretrained()
        >>> face = reconstructor.reconstruct(torch.rand(3, 224, 224), landmarks=torch.tensor(TEMPLATE_68))
        >>> described = describe_coefficients(face, reconstructor.face_model)
        >>> sorted(described)
        ['albedo', 'expression', 'expression_names', 'face_model', 'identity', 'light', 'pose']
        >>> list(described["pose"])
        ['rz', 'ry', 'rx', 'tx', 'ty', 'tz']
    """
    c = face.coefficients
    names = face_model.expression_names
    return {
        "face_model": {"name": face_model.name, "fingerprint": face_model.fingerprint, "units": face_model.units},
        "identity": c.identity.tolist(),
        "albedo": c.albedo.tolist(),
        "expression": c.expression.tolist(),
        "expression_names": list(names),
        "pose": dict(zip(("rz", "ry", "rx", "tx", "ty", "tz"), c.pose.tolist(), strict=True)),
        "light": c.light.reshape(3, 9).tolist(),
    }


def describe_camera(face: PlacedFace, depth_unit_mm: float | None = None) -> dict[str, Any]:
    """Describe both cameras, the similarity between their pictures, and the step of a depth that is written."""
    height, width = face.image.shape[1:]
    size = face.crop.shape[-1]
    return {
        "convention": CONVENTION,
        "image": {"width": width, "height": height, "K": face.K.tolist(), "T_cam_model": face.T_cam_model.tolist()},
        "crop": {
            "width": size,
            "height": size,
            "K": face.K_crop.tolist(),
            "T_cam_model": face.T_crop_model.tolist(),
        },
        "crop_from_image": face.crop_from_image.tolist(),
        "image_from_crop": face.image_from_crop.tolist(),
        "depth_unit_mm": depth_unit_mm,
    }


def _write_depth(folder: Path, maps: GeometryMaps) -> list[Path]:
    depth = folder / "depth.png"
    with atomic_path(depth) as temporary:
        Image.fromarray(np.ascontiguousarray(depth_steps(maps))).save(temporary, format="PNG", compress_level=PNG_LEVEL)
    drawn = {"depth_colour": draw_depth(maps), "normals": draw_normals(maps)}
    return [depth, *(save_png(folder / f"{name}.png", picture) for name, picture in drawn.items())]


def _write_landmarks(folder: Path, face: PlacedFace) -> list[Path]:
    points = {"landmarks": face.landmarks, "landmarks_crop": face.landmarks_crop, "landmarks3d": face.landmarks3d}
    return [_write_points(folder / f"{name}.txt", values) for name, values in points.items()]


def _write_points(path: Path, points: Float[Tensor, "N D"]) -> Path:
    lines = [str(len(points)), *(",".join(f"{value:.6f}" for value in point) for point in points.tolist())]
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="ascii")
    return path
