"""Faces of a video: located, predicted, smoothed over time, and drawn beside the frames."""

from __future__ import annotations

from collections.abc import Callable
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
from mgc_lightning.files.text import write_json
from mgc_lightning.geometry.camera import intrinsics
from mgc_lightning.photographs.sources.videos import frame_rate, promised_frames, video_frames
from mgc_lightning.pictures.drawing import Picture, fit_into, save_png, to_picture
from mgc_lightning.pictures.sheets import sheet
from mgc_lightning.reconstruction.meshes import compact
from mgc_lightning.reconstruction.pictures import draw_in_photograph
from mgc_lightning.reconstruction.reconstructor import FaceReconstructor
from mgc_lightning.reconstruction.smoothing import smooth_coefficients
from mgc_lightning.reconstruction.video_files import write_video
from mgc_lightning.rendering.renderer import FaceRenderer

TILE = 640
"""Longest side in px of each of the three pictures of a frame."""
BATCH = 16
FASTEST_DRAWN = 120.0
"""Frames a second of drawn videos at most."""
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
        rate: frames a second, by the median distance of frames.
        times: (T,) s of the frames, as the container has them.
        found: (T,) frames in which a face was located.
        known: (T,) frames that have coefficients; more than `found` after smoothing.
        matrices: (T, 2, 3) similarities from frames to crops.
        coefficients: (T, ...); zeros where they are not known.
    """

    path: Path
    rate: float
    times: Float[NDArray, " T"]
    found: Bool[NDArray, " T"]
    known: Bool[NDArray, " T"]
    matrices: Float[Tensor, "T 2 3"]
    coefficients: FaceCoefficients


def video_faces(
    path: str | Path,
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
        smoothing: period in seconds of the low-pass of what is found (see `smooth_coefficients`); 0 for none. Crops
            follow the face in every frame.
        report: called after every frame.

    Raises:
        MGCError: if the file is no video, or shows no face.
    """
    path = Path(path)
    times, matrices, coefficients, found = _predict_all(path, reconstructor, locate, report)
    if not found.any():
        raise MGCError(f"{path}: no face was found in {len(found)} frames")
    known = found
    if smoothing > 0:
        K_crop = intrinsics(reconstructor.image_size, reconstructor.predictor.focal)
        coefficients, matrices, known = smooth_coefficients(coefficients, matrices, found, times, smoothing, K_crop)
    return VideoFaces(path, frame_rate(times), times, found, known, matrices, coefficients)


def _predict_all(
    path: Path, reconstructor: FaceReconstructor, locate: Locate, report: Report
) -> tuple[Float[NDArray, " T"], Float[Tensor, "T 2 3"], FaceCoefficients, Bool[NDArray, " T"]]:
    """Locate and predict each frame as it is: what is cut out never waits for other frames."""
    layout = reconstructor.face_model.layout
    times: list[float] = []
    rows: list[Tensor | None] = []
    vectors: list[Tensor] = []
    batch: list[Tensor] = []
    last: Tensor | None = None
    promised = promised_frames(path)

    def flush() -> None:
        if batch:
            vectors.extend(reconstructor.predict(torch.cat(batch)).to_vector().cpu())
            batch.clear()

    for number, time, image in video_frames(path):
        matrix = locate(image, number, last)
        times.append(time)
        rows.append(matrix)
        if matrix is not None:
            last = matrix
            batch.append(reconstructor.crop([image], matrix[None]))
        if len(batch) == BATCH:
            flush()
        report("predict", number + 1, max(promised, number + 1))
    flush()
    found = np.array([row is not None for row in rows], dtype=bool)
    matrices, whole = torch.zeros(len(rows), 2, 3), torch.zeros(len(rows), layout.total)
    if found.any():
        matrices[torch.from_numpy(found)] = torch.stack([row.cpu() for row in rows if row is not None])
        whole[torch.from_numpy(found)] = torch.stack(vectors)
    return np.array(times), matrices, FaceCoefficients.from_vector(whole, layout), found


def write_video_faces(
    faces: VideoFaces,
    reconstructor: FaceReconstructor,
    folder: str | Path,
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
    folder = Path(folder)
    renderer, shown = FaceRenderer(), []
    total = len(faces.known)
    picked = set(np.flatnonzero(faces.known)[_spread(int(faces.known.sum()), SHEET_FRAMES)].tolist())
    _, _, first = next(video_frames(faces.path))
    width, height = _tile_size(first)
    target = folder / "side_by_side.mp4"
    rate = min(faces.rate, FASTEST_DRAWN)
    with write_video(target, 3 * width, height, rate) as add:
        for (number, _, image), repeats in zip(video_frames(faces.path), repetitions(faces.times, rate), strict=False):
            row = _draw_row(faces, number, image, reconstructor, renderer)
            shown += [row] if number in picked else []
            picture = np.concatenate([fit_into(picture, width, height) for picture in row], axis=1)
            for _ in range(repeats):
                add(picture)
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


def repetitions(times: Float[NDArray, " T"], rate: float) -> list[int]:
    """Give how often each frame is shown in a video of even `rate`, so that it lasts as long as in the original.

    Example:
        >>> repetitions(np.array([0.0, 0.1, 0.2, 0.5, 0.6]), 10.0)  # a pause after the third
        [1, 1, 3, 1, 1]
    """
    ends = np.append(times[1:], times[-1] + 1 / rate) - times[0]
    shown = np.maximum.accumulate((ends * rate).round().astype(int))
    return np.diff(shown, prepend=0).tolist()


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
            times=faces.times,
            **groups,
        )
    return path


def _write_frames(path: Path, faces: VideoFaces) -> Path:
    content = {
        "video": faces.path.name,
        "frames": len(faces.found),
        "frames_per_second": faces.rate,
        "seconds": [round(time, 6) for time in faces.times.tolist()],
        "without_face": np.flatnonzero(~faces.found).tolist(),
        "filled_in": np.flatnonzero(~faces.found & faces.known).tolist(),
    }
    return write_json(path, content)
