"""Known data sets: 300W-LP, Multi-PIE, CelebA."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.files.matlab import read_mat
from mgc_lightning.files.names import inside
from mgc_lightning.files.reading import reading
from mgc_lightning.files.text import read_text, short
from mgc_lightning.photographs.landmark_files import checked_landmarks
from mgc_lightning.photographs.sources.folder import list_files
from mgc_lightning.photographs.sources.photo import Photo, PhotoSource

CAMERAS = {"090": -60, "080": -45, "130": -30, "051": 0, "041": 30, "190": 45, "200": 60}
"""Multi-PIE's cameras that are used, with their yaw: seven, as MGCNet's author advises (no overhead cameras, none
beyond 60 degrees, one of each close pair); which seven is our choice."""
_MULTIPIE = re.compile(r"^(?P<subject>\d{3})_(?P<session>\d\d)_(?P<recording>\d\d)_(?P<camera>\d{3})_(?P<light>\d\d)$")
_LP = re.compile(r"^(?P<base>.+)_(?P<view>\d+)$")
_LP_FOLDERS = ("AFW", "HELEN", "IBUG", "LFPW")


def lp300w_source(root: str | Path) -> PhotoSource:
    """Take 300W-LP: the synthetic turns of a photograph are one capture; a photograph and its mirror one identity.

    Landmarks are those of the data set (`landmarks/AFW/NAME_pts.mat`, the 3D type), where they are there.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp()) / "AFW"
        >>> folder.mkdir()
        >>> for name in ("AFW_1051618982_1_0.jpg", "AFW_1051618982_1_1.jpg"):
        ...     (folder / name).touch()
        >>> [(photo.identity, photo.capture) for photo in lp300w_source(folder.parent).photos]
        [('AFW/AFW_1051618982_1', 'AFW/AFW_1051618982_1'), ('AFW/AFW_1051618982_1', 'AFW/AFW_1051618982_1')]
    """
    root = Path(root)
    photos = []
    for path in (p for p in list_files(root) if p.suffix.lower() == ".jpg"):
        name = path.relative_to(root)
        match = _LP.match(path.stem)
        folder = name.parts[0]
        if len(name.parts) != 2 or match is None or folder.removesuffix("_Flip") not in _LP_FOLDERS:
            continue
        points = root / "landmarks" / folder / f"{path.stem}_pts.mat"
        photos.append(
            Photo(
                name.as_posix(),
                path,
                f"{folder.removesuffix('_Flip')}/{match['base'].replace('_Flip', '')}",
                f"{folder}/{match['base']}",
                landmarks=points if points.is_file() else None,
            )
        )
    return PhotoSource("300w-lp", root, photos)


def multipie_source(root: str | Path) -> PhotoSource:
    """Take Multi-PIE (`.../SSS_NN_RR_CCC_LL.png`): one capture is a recording in one light by several cameras.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("001_01_01_051_07.png", "001_01_01_130_07.png"):  # two cameras, one moment and light
        ...     (folder / name).touch()
        >>> [(photo.identity, photo.capture) for photo in multipie_source(folder).photos]
        [('001', '01-01-07'), ('001', '01-01-07')]
    """
    root = Path(root)
    photos, skipped = [], []
    for path in (p for p in list_files(root) if p.suffix.lower() in (".png", ".jpg")):
        match = _MULTIPIE.match(path.stem)
        name = path.relative_to(root).as_posix()
        if match is None:
            skipped.append((name, "not named like a picture of Multi-PIE"))
        elif match["camera"] in CAMERAS:
            capture = f"{match['session']}-{match['recording']}-{match['light']}"
            photos.append(Photo(name, path, match["subject"], capture))
    return PhotoSource("multi-pie", root, photos, skipped)


def celeba_source(root: str | Path) -> PhotoSource:
    """Take CelebA: `img_celeba/` with `identity_CelebA.txt`; every photograph is another moment.

    Raises:
        MGCError: if one of them is missing.
    """
    root = Path(root)
    lists = [p for p in (root / "identity_CelebA.txt", root / "Anno" / "identity_CelebA.txt") if p.is_file()]
    folders = [root / n for n in ("img_celeba", "Img/img_celeba", "img_align_celeba") if (root / n).is_dir()]
    if not lists or not folders:
        raise MGCError(f"{root}: expected CelebA's identity_CelebA.txt and img_celeba/")
    photos = []
    for number, line in enumerate(read_text(lists[0], torn=True).splitlines(), start=1):
        words, place = line.split(), f"{lists[0]}, line {number}"
        if len(words) == 2:
            photos.append(Photo(words[0], inside(folders[0], words[0], place), words[1]))
        elif words:
            raise MGCError(f"{place}: expected `FILE.jpg IDENTITY`, got {short(line)}")
    return PhotoSource("celeba", root, sorted(photos, key=lambda photo: photo.name))


def read_mat_landmarks(file: Path) -> Float[Tensor, "68 2"]:
    """Read 300W-LP's or AFLW2000-3D's 68 points of the 3D type, from MATLAB's 1-based px to centres at +.5.

    The keys are `pts_3d` (68, 2) in 300W-LP's landmark files and `pt3d_68` (3, 68) in AFLW2000-3D.

    Raises:
        MGCError: if the file is damaged or lacks them.

    Example:
        >>> import scipy.io, tempfile
        >>> file = Path(tempfile.mkdtemp()) / "image00002.mat"
        >>> scipy.io.savemat(file, {"pt3d_68": np.tile([[100.0], [50.0], [0.0]], 68)})
        >>> read_mat_landmarks(file)[0]  # from MATLAB's px, counted from 1, to centres at +.5
        tensor([99.5000, 49.5000])
    """
    content = read_mat(file)
    key = next((key for key in ("pt3d_68", "pts_3d", "pts_2d") if key in content), None)
    if key is None:
        raise MGCError(f"{file}: expected pt3d_68 or pts_3d, got {[k for k in content if not k.startswith('__')]}")
    with reading(file, f"`{key}` holds no points"):
        points = np.asarray(content[key], dtype=np.float64)
        points = points.T if points.shape[0] in (2, 3) else points
        points = points[:, :2]
    return checked_landmarks(torch.from_numpy(points - 0.5).float(), str(file))
