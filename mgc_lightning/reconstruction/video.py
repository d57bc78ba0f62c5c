"""Faces of a video: located, predicted, smoothed over time, and drawn beside the frames."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from mgc_lightning.coefficients import FaceCoefficients
from mgc_lightning.errors import MGCError
from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.files.mesh import write_mesh
from mgc_lightning.photographs.sources.videos import read_frame, video_properties
from mgc_lightning.pictures.drawing import Picture, fit_into, save_png, sheet, to_picture
from mgc_lightning.reconstruction.meshes import compact
from mgc_lightning.reconstruction.pictures import draw_in_photograph
from mgc_lightning.reconstruction.reconstructor import FaceReconstructor
from mgc_lightning.reconstruction.smoothing import smooth, smooth_coefficients
from mgc_lightning.reconstruction.video_files import write_video
from mgc_lightning.rendering.renderer import FaceRenderer

TILE = 640
"""Longest side in px of each of the three pictures of a frame."""
BATCH = 16
SHEET_FRAMES = 6

Locate = Callable[[Float[Tensor, "3 H W"], int, Float[Tensor, "2 3"] | None], Float[Tensor, "2 3"] | None]
"""Gives the similarity from a frame to its crop; gets frame, number and the last similarity; None for no face."""
Report = Callable[[str, int, int], None]
"""Is told the stage, the frames that are done, and how many there are."""


@dataclass
class VideoFaces:
    """Hold what is known of T frames.

    Attributes:
        path: of the video.
        rate: frames a second.
        found: (T,) frames in which a face was located.
        known: (T,) frames that have coefficients; more than `found` after smoothing.
        matrices: (T, 2, 3) similarities from frames to crops.
        coefficients: (T, ...); zeros where they are not known.
    """

    path: Path
    rate: float
    found: Bool[NDArray, " T"]
    known: Bool[NDArray, " T"]
    matrices: Float[Tensor, "T 2 3"]
    coefficients: FaceCoefficients


def video_faces(
    path: Path,
    reconstructor: FaceReconstructor,
    locate: Locate,
    smoothing: float = 0.0,
    report: Report = lambda *_: None,
) -> VideoFaces:
    """Reconstruct the face of every frame.

    Args:
        path: a video of one person.
        reconstructor: any.
        locate: finds the face.
        smoothing: standard deviation of the temporal window in seconds, for crops and coefficients; 0 for none.
        report: called after every frame.

    Raises:
        MGCError: if the file is no video, or shows no face.
    """
    count, rate = video_properties(path)
    matrices, found = _locate_all(path, count, locate, report)
    if not found.any():
        raise MGCError(f"{path}: no face was found in {len(found)} frames")
    known = found
    if smoothing > 0:
        matrices = smooth(matrices, found, smoothing * rate)
        known = np.isfinite(matrices).all((1, 2))
    crops = torch.from_numpy(np.nan_to_num(matrices)).float()
    coefficients = _predict_all(path, reconstructor, crops, known, report)
    if smoothing > 0:
        coefficients, known = smooth_coefficients(coefficients, known, smoothing * rate)
        known = known & np.isfinite(matrices).all((1, 2))
    return VideoFaces(path, rate, found, known, crops, coefficients)


def _locate_all(
    path: Path, count: int, locate: Locate, report: Report
) -> tuple[Float[NDArray, "T 2 3"], Bool[NDArray, " T"]]:
    rows: list[Float[NDArray, "2 3"]] = []
    last: Tensor | None = None
    for number, image in _frames(path, count):
        matrix = locate(image, number, last)
        rows.append(np.full((2, 3), np.nan) if matrix is None else matrix.double().numpy())
        last = matrix if matrix is not None else last
        report("locate", number + 1, count)
    matrices: NDArray = np.stack(rows) if rows else np.zeros((0, 2, 3))
    found: NDArray = np.isfinite(matrices).all(axis=(1, 2))
    return matrices, found


def _frames(path: Path, count: int) -> Iterator[tuple[int, Float[Tensor, "3 H W"]]]:
    """Give the frames that can be read; containers may promise a few more than they hold."""
    for number in range(count):
        try:
            image = read_frame(path, number)
        except MGCError:
            return
        yield number, image


def _predict_all(
    path: Path, reconstructor: FaceReconstructor, matrices: Tensor, known: Bool[NDArray, " T"], report: Report
) -> FaceCoefficients:
    vectors = torch.zeros(len(matrices), reconstructor.face_model.layout.total)
    batch: list[tuple[int, Tensor]] = []

    def flush() -> None:
        if batch:
            rows = [number for number, _ in batch]
            crops = torch.cat([crop for _, crop in batch])
            vectors[rows] = reconstructor.predict(crops).to_vector().cpu()
            batch.clear()

    for number, image in _frames(path, len(matrices)):
        if known[number]:
            batch.append((number, reconstructor.crop([image], matrices[number][None])))
        if len(batch) == BATCH:
            flush()
        report("predict", number + 1, len(matrices))
    flush()
    return FaceCoefficients.from_vector(vectors, reconstructor.face_model.layout)


def write_video_faces(
    faces: VideoFaces,
    reconstructor: FaceReconstructor,
    folder: Path,
    neutral: bool = False,
    report: Report = lambda *_: None,
) -> list[Path]:
    """Write `side_by_side.mp4` (frame, overlay, geometry), `sheet.png`, `coefficients.npz` and `frames.json`.

    Args:
        faces: of a video.
        reconstructor: that gave them.
        folder: to write to.
        neutral: write `neutral.obj` too, of the median identity.
        report: called after every frame.
    """
    renderer, shown = FaceRenderer(), []
    total = len(faces.known)
    picked = set(np.flatnonzero(faces.known)[_spread(int(faces.known.sum()), SHEET_FRAMES)].tolist())
    first = read_frame(faces.path, 0)
    width, height = _tile_size(first)
    target = folder / "side_by_side.mp4"
    with write_video(target, 3 * width, height, faces.rate) as add:
        for number, image in _frames(faces.path, total):
            row = _draw_row(faces, number, image, reconstructor, renderer)
            add(np.concatenate([fit_into(picture, width, height) for picture in row], axis=1))
            shown += [row] if number in picked else []
            report("draw", number + 1, total)
    written = [target, save_png(folder / "sheet.png", sheet(shown, ["frame", "overlay", "geometry"], tile=256))]
    written += [_write_coefficients(folder / "coefficients.npz", faces), _write_frames(folder / "frames.json", faces)]
    if neutral:
        model = reconstructor.face_model
        index, triangles = compact(model.face_region_faces)
        identity = faces.coefficients.identity[torch.from_numpy(faces.known)].median(0).values
        shape = model.shape(identity.to(model.mean))
        written.append(write_mesh(folder / "neutral.obj", shape[index], triangles))
    return written


def _draw_row(
    faces: VideoFaces, number: int, image: Tensor, reconstructor: FaceReconstructor, renderer: FaceRenderer
) -> list[Picture]:
    plain = to_picture(image)
    if not faces.known[number]:
        return [plain, plain, plain]
    matrix = faces.matrices[number][None]
    coefficients = faces.coefficients.map(lambda group: group[number][None].to(reconstructor.device))
    (face,) = reconstructor.assemble([image], reconstructor.crop([image], matrix), matrix, coefficients)
    drawn = [draw_in_photograph(face, reconstructor.face_model, renderer, style) for style in ("lit", "geometry")]
    return [plain, *drawn]


def _tile_size(image: Tensor) -> tuple[int, int]:
    height, width = image.shape[1:]
    scale = min(1.0, TILE / max(height, width))
    # Codecs want even sides.
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def _spread(count: int, number: int) -> NDArray:
    return np.unique(np.linspace(0, count - 1, min(number, count)).round().astype(int))


def _write_coefficients(path: Path, faces: VideoFaces) -> Path:
    groups = {name: getattr(faces.coefficients, name).numpy() for name in faces.coefficients.layout.sizes}
    with atomic_path(path) as temporary:
        np.savez_compressed(
            temporary,
            found=faces.found,
            known=faces.known,
            crop_from_image=faces.matrices.numpy(),
            rate=faces.rate,
            **groups,
        )
    return path


def _write_frames(path: Path, faces: VideoFaces) -> Path:
    content = {
        "video": faces.path.name,
        "frames": len(faces.found),
        "frames_per_second": faces.rate,
        "without_face": np.flatnonzero(~faces.found).tolist(),
        "filled_in": np.flatnonzero(~faces.found & faces.known).tolist(),
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return path
