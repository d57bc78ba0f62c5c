"""Writing videos."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from mgc_lightning.errors import MGCError
from mgc_lightning.files.atomic import NotWrittenError, atomic_path
from mgc_lightning.pictures.drawing import Picture

CODEC = "mp4v"
"""MPEG-4, which every build of OpenCV writes; players know it, browsers may not."""


@contextlib.contextmanager
def write_video(path: Path, width: int, height: int, rate: float) -> Iterator[Callable[[Picture], None]]:
    """Give a function that adds frames to an MP4; the file appears when all are written.

    Args:
        path: the file.
        width: of the frames in px, even.
        height: likewise.
        rate: frames a second.

    Raises:
        MGCError: if OpenCV cannot write it.

    Example:
        >>> import numpy as np, tempfile
        >>> path = Path(tempfile.mkdtemp()) / "clip.mp4"
        >>> with write_video(path, width=32, height=16, rate=25.0) as add:
        ...     add(np.zeros((16, 32, 3), np.uint8))
        >>> path.stat().st_size > 0
        True
    """
    import cv2

    with atomic_path(path) as temporary:
        writer = cv2.VideoWriter(str(temporary), cv2.VideoWriter_fourcc(*CODEC), rate, (width, height))  # type: ignore[attr-defined]
        if not writer.isOpened():
            raise MGCError(f"{path}: OpenCV cannot write MP4 videos of {width} x {height} px here")

        count = 0

        def add(picture: Picture) -> None:
            if picture.shape != (height, width, 3):
                raise MGCError(f"{path}: expected frames ({height}, {width}, 3), got {picture.shape}")
            nonlocal count
            count += 1
            writer.write(np.ascontiguousarray(picture[..., ::-1]))

        try:
            yield add
        finally:
            writer.release()
        # OpenCV says nothing of what it could not write.
        capture = cv2.VideoCapture(str(temporary))
        written = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        capture.release()
        if written != count:
            raise NotWrittenError(f"{path}: {written} of {count} frames could be written; is the disk full?")
