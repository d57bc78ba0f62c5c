"""Frames of videos."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.photographs.photos import from_array
from mgc_lightning.photographs.sources.photo import Photo, PhotoSource

SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg")


def video_source(files: Sequence[Path], step: float = 1.0) -> PhotoSource:
    """Take a frame every `step` seconds. A video shows one person, each frame another moment (link 0).

    Raises:
        MGCError: if two videos have the same name.
    """
    photos, skipped = [], []
    names = [file.name for file in files]
    for file in sorted(files, key=lambda path: path.name):
        if names.count(file.name) > 1:
            raise MGCError(f"{file}: two videos have the name {file.name}")
        try:
            count, rate = video_properties(file)
        except MGCError as error:
            skipped.append((file.name, str(error)))
            continue
        stride = max(1, round(step * rate))
        photos += [Photo(f"{file.name}/{n:06d}", file, file.stem, f"{n:06d}", n) for n in range(0, count, stride)]
    return PhotoSource("videos", files[0].parent if files else Path("."), photos, skipped)


def read_frame(file: Path, frame: int) -> Float[Tensor, "3 H W"]:
    """Read one frame; frames in rising order are read without seeking.

    Raises:
        MGCError: if the video ends before, or is damaged.
    """
    reader = _reader(file)
    array = reader.read(frame)
    if array is None:
        raise MGCError(f"{file}: frame {frame} cannot be read")
    return from_array(array)


def video_properties(file: Path) -> tuple[int, float]:
    """Give the number of frames, as the file has it, and the frames a second.

    Raises:
        MGCError: if the file is missing or no video.
    """
    import cv2

    if not file.is_file():
        raise MGCError(f"{file}: no such video")
    video = cv2.VideoCapture(str(file))
    count, rate = int(video.get(cv2.CAP_PROP_FRAME_COUNT)), float(video.get(cv2.CAP_PROP_FPS))
    video.release()
    if count < 1 or not 0 < rate < 1e4:
        raise MGCError(f"{file}: not a video that OpenCV can read")
    return count, rate


class _Reader:
    """Keep a video open between frames."""

    def __init__(self, file: Path) -> None:
        import cv2

        self.cv2: Any = cv2
        self.video, self.place = cv2.VideoCapture(str(file)), 0

    def read(self, frame: int) -> Any:
        """Give the frame (H, W, 3) RGB, or None."""
        if not self.place <= frame <= self.place + 500:
            self.video.set(self.cv2.CAP_PROP_POS_FRAMES, frame)
            self.place = frame
        while self.place < frame:
            if not self.video.grab():
                return None
            self.place += 1
        good, array = self.video.read()
        self.place += 1
        return self.cv2.cvtColor(array, self.cv2.COLOR_BGR2RGB) if good else None


@functools.lru_cache(maxsize=2)
def _reader(file: Path) -> _Reader:
    return _Reader(file)
