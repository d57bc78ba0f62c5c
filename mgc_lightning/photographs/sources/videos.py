"""Frames of videos."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.files.places import as_paths
from mgc_lightning.photographs.photos import from_array
from mgc_lightning.photographs.sources.photo import Photo, PhotoSource

SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg")
FASTEST = 480.0
"""Frames a second above which a container's figure is the unit of its clock: 1000 in recordings of browsers."""
LONGEST_PAUSE = 3600.0
"""Seconds between two frames beyond which a time stamp is damaged."""


def video_source(files: str | Path | Sequence[str | Path], step: float = 1.0) -> PhotoSource:
    """Take a frame every `step` seconds. A video shows one person, each frame another moment (link 0).

    Raises:
        MGCError: if two videos have the same name.

    Example:
        >>> import tempfile
        >>> from mgc_lightning.reconstruction.video_files import write_video
        >>> file = Path(tempfile.mkdtemp()) / "clip.mp4"
        >>> with write_video(file, 32, 16, rate=10.0) as add:
        ...     for _ in range(25):
        ...         add(np.zeros((16, 32, 3), np.uint8))
        >>> [photo.name for photo in video_source([file], step=1.0).photos]
        ['clip.mp4/000000', 'clip.mp4/000010', 'clip.mp4/000020']
    """
    photos, skipped, files = [], [], as_paths(files)
    names = [file.name for file in files]
    for file in sorted(files, key=lambda path: path.name):
        if names.count(file.name) > 1:
            raise MGCError(f"{file}: two videos have the name {file.name}")
        try:
            numbers = _frames_every(file, step)
        except MGCError as error:
            skipped.append((file.name, str(error)))
            continue
        photos += [Photo(f"{file.name}/{n:06d}", file, file.stem, f"{n:06d}", n) for n in numbers]
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


def video_frames(file: str | Path) -> Iterator[tuple[int, float, Float[Tensor, "3 H W"]]]:
    """Give each frame with its number and its time in seconds, in order, until the file ends or is damaged.

    Times are the container's: they need not be even.

    Raises:
        MGCError: if the file is missing or no video.

    Example:
        >>> import tempfile
        >>> from mgc_lightning.reconstruction.video_files import write_video
        >>> file = Path(tempfile.mkdtemp()) / "clip.mp4"
        >>> with write_video(file, 32, 16, rate=10.0) as add:
        ...     for brightness in (0, 255):
        ...         add(np.full((16, 32, 3), brightness, np.uint8))
        >>> [(number, seconds, round(float(frame.mean()), 1)) for number, seconds, frame in video_frames(file)]
        [(0, 0.0, 0.0), (1, 0.1, 1.0)]
    """
    file = Path(file)
    import cv2

    for number, (seconds, video) in enumerate(_grabbed(file)):
        good, array = video.retrieve()
        if not good:
            return
        yield number, seconds, from_array(cv2.cvtColor(array, cv2.COLOR_BGR2RGB))


def video_times(file: str | Path) -> Float[NDArray, " T"]:
    """Give the times of all frames in seconds, by reading the video through.

    Raises:
        MGCError: if the file is missing or no video.
    """
    file = Path(file)
    return np.array([seconds for seconds, _ in _grabbed(file)])


def frame_rate(times: Float[NDArray, " T"]) -> float:
    """Give the frames a second of rising times in seconds: by their median distance, which pauses do not move.

    Example:
        >>> round(frame_rate(np.array([0.0, 0.04, 0.08, 0.12, 1.0])), 3)
        25.0
    """
    return 1.0 / float(np.median(np.diff(times))) if len(times) > 1 else 1.0


def _frames_every(file: Path, step: float) -> list[int]:
    """Choose frames `step` seconds apart; only a video that does not say how long it is must be read through."""
    count, rate = _promised(file)
    if count >= 1 and 0 < rate <= FASTEST:
        return list(range(0, count, max(1, round(step * rate))))
    passed = np.floor((video_times(file) + 1e-6) / step)
    return np.flatnonzero(np.diff(passed, prepend=-1.0) > 0).tolist()


def promised_frames(file: Path) -> int:
    """Give the number of frames that a container promises; 0 where it does not say, and it may hold fewer."""
    return _promised(file)[0]


def _promised(file: Path) -> tuple[int, float]:
    """Give what the container says of frames and frames a second; either may be nonsense."""
    import cv2

    if not file.is_file():
        raise MGCError(f"{file}: no such video")
    video = cv2.VideoCapture(str(file))
    opened = video.isOpened()
    count, rate = float(video.get(cv2.CAP_PROP_FRAME_COUNT)), float(video.get(cv2.CAP_PROP_FPS))
    video.release()
    if not opened:
        raise MGCError(f"{file}: not a video that OpenCV can read")
    return int(count) if 0 < count < 1e9 else 0, rate


def _grabbed(file: Path) -> Iterator[tuple[float, Any]]:
    """Go through a video frame by frame: the time of each in seconds, and the capture to retrieve it from."""
    import cv2

    rate = _promised(file)[1]
    step = 1 / rate if 0 < rate <= FASTEST else 1 / 30
    video, last, count = cv2.VideoCapture(str(file)), -step, 0
    try:
        while video.grab():
            seconds = float(video.get(cv2.CAP_PROP_POS_MSEC)) / 1000
            # Damaged or missing time stamps neither rise nor are numbers.
            last = seconds if last < seconds < last + LONGEST_PAUSE else last + step
            yield last, video
            count += 1
    finally:
        video.release()
    if not count:
        raise MGCError(f"{file}: not a video that OpenCV can read: it holds no frame")


class _Reader:
    """Keep a video open between frames."""

    def __init__(self, file: Path) -> None:
        import cv2

        self.cv2: Any = cv2
        self.file = file
        self.video, self.place = cv2.VideoCapture(str(file)), 0
        self.seeks = self.video.get(cv2.CAP_PROP_FRAME_COUNT) > 0

    def read(self, frame: int) -> Any:
        """Give the frame (H, W, 3) RGB, or None."""
        if self.seeks and not self.place <= frame <= self.place + 500:
            self.video.set(self.cv2.CAP_PROP_POS_FRAMES, frame)
            self.place = frame
        elif frame < self.place:
            # A container that does not know how many frames it has finds none of them: from the beginning.
            self.video.release()
            self.video, self.place = self.cv2.VideoCapture(str(self.file)), 0
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
