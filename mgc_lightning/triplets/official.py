"""The data layout of the official MGCNet program: strips of three views, skin strips, camera files (MGCNet's demo)."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.errors import MGCError, check_choice
from mgc_lightning.files.names import safe_name
from mgc_lightning.files.reading import reason
from mgc_lightning.files.text import read_text, short
from mgc_lightning.photographs.photos import read_photo
from mgc_lightning.triplets.samples import Sample, persons_by_link

logger = logging.getLogger(__name__)
_STRIP_ORDER = (1, 0, 2)
"""Places of target, source 1 and source 2 in a strip; in the camera file they come in this order already."""
_GREY = (0.2989, 0.587, 0.114)

OfficialSplit = Literal["train", "val", "test"]
"""Lists that a folder may have."""


class OfficialLayout:
    """Read samples listed in `<split>.txt` (lines `flag folder frame`) of a folder.

    Without a list for validation, `val_share` of the folders of the training list are kept for it: a folder is an
    identity there. The camera files' intrinsics are not used, as the official program does not.

    Args:
        root: folder with `train.txt`.
        split: name of the list.
        val_share: share of folders, where there is no `val.txt`.

    Raises:
        MGCError: if the list is missing or has a line that is none.
    """

    def __init__(self, root: str | Path, split: OfficialSplit, val_share: float = 0.05) -> None:
        check_choice("split", split, OfficialSplit)
        self.root, self.split = Path(root), split
        own = self.root / f"{split}.txt"
        listed = own if own.is_file() else self.root / "train.txt"
        self.entries = _read_list(listed)
        if split != "test" and not (self.root / "val.txt").is_file():
            self.entries = [e for e in self.entries if (_share(e[1]) < val_share) == (split == "val")]
        elif not own.is_file():
            raise MGCError(f"{own}: no such list")
        self.counts = [len(self.entries)]

    def __len__(self) -> int:
        return len(self.entries)

    def read(self, shard: int, number: int) -> Sample:
        """Read a sample by its number in the list.

        Raises:
            MGCError: if a file of it is missing or has another size.
        """
        return self[number]

    def __getitem__(self, index: int) -> Sample:
        link, folder, frame = self.entries[index]
        stem = self.root / folder / frame
        images = _views(stem.with_name(f"{frame}.jpg"))
        colours = _views(stem.with_name(f"{frame}_skin.jpg"))
        if images.shape != colours.shape:
            raise MGCError(f"{stem}: the strip is {tuple(images.shape)}, its skin {tuple(colours.shape)}")
        skin = (colours * torch.tensor(_GREY)[:, None, None]).sum(1, keepdim=True)
        landmarks = read_camera_file(stem.with_name(f"{frame}_cam.txt"))
        as_bytes = [(part * 255).round().clamp(0, 255).to(torch.uint8) for part in (images, skin)]
        # A folder is one person where the flag says so; samples of flag 0 may also be of three (MGCNet's of LS3D-W).
        person = torch.tensor(persons_by_link(link, len(images)))
        return Sample(as_bytes[0], as_bytes[1], landmarks, link, f"{folder}/{frame}", person)


def _read_list(file: Path) -> list[tuple[int, str, str]]:
    if not file.is_file():
        raise MGCError(f"{file}: no such list; the official layout has lines `flag folder frame`")
    entries = []
    for number, line in enumerate(read_text(file, torn=True).splitlines(), 1):
        words = line.split()
        if not words:
            continue
        if len(words) != 3 or words[0] not in ("0", "1", "2"):
            raise MGCError(
                f"{file}, line {number}: expected `flag folder frame` with a flag 0, 1 or 2, got {short(line)}"
            )
        place = f"{file}, line {number}"
        entries.append((int(words[0]), safe_name(words[1], place, nested=True), safe_name(words[2], place)))
    # Where a list ends at a line's end, nothing else tells whether it is whole.
    logger.info("%s: %d samples.", file, len(entries))
    return entries


def _share(folder: str) -> float:
    return int.from_bytes(hashlib.blake2b(folder.encode(), digest_size=8).digest(), "big") / 2**64


def _views(file: Path) -> Float[Tensor, "3 3 S S"]:
    """Cut a strip (source 1, target, source 2) into views, the target first."""
    strip = read_photo(file)
    size = strip.shape[1]
    if strip.shape[2] != 3 * size:
        raise MGCError(f"{file}: expected a strip of three squares, got {strip.shape[2]} x {size} px")
    return strip.unflatten(2, (3, size)).permute(2, 0, 1, 3)[list(_STRIP_ORDER)]


def read_camera_file(file: Path, views: int = 3) -> Float[Tensor, "V 68 2"]:
    r"""Read the landmarks of a camera file: target, source 1, source 2, px of the crop.

    Raises:
        MGCError: if the file is missing or ends early.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "frame_cam.txt"
        >>> view = ["68", *(f"{n},0.0" for n in range(68))]
        >>> _ = file.write_text("\n".join([*["4700.0 112.0 112.0"] * 3, *view * 3]))
        >>> read_camera_file(file)[:, 30]
        tensor([[30.,  0.],
                [30.,  0.],
                [30.,  0.]])
    """
    if not file.is_file():
        raise MGCError(f"{file}: no such camera file")
    lines = [line.strip() for line in read_text(file, others="replace").splitlines() if line.strip()]
    # Intrinsics, then poses where they were written, then for every view a count and its points.
    first = views
    while first < len(lines) and lines[first].count(",") == 5:
        first += 1
    blocks = [lines[first + v * 69 : first + (v + 1) * 69] for v in range(views)]
    try:
        points = np.array([[[float(x) for x in line.split(",")[:2]] for line in block[1:]] for block in blocks])
        return torch.from_numpy(points.reshape(views, 68, 2)).float()
    except ValueError as error:
        raise MGCError(f"{file}: expected {views} views of 68 lines `x,y` ({reason(error)})") from error
