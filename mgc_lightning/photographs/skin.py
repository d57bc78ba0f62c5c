"""Skin probability of aligned crops: a statistical colour model of the face, or masks given in files."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from PIL import Image, ImageDraw
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.photographs.companions import companion_places
from mgc_lightning.photographs.crop import warp_to_crop
from mgc_lightning.photographs.photos import read_photo
from mgc_lightning.photographs.skin_colours import OTHER, SKIN

_MASK_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_OVERSAMPLING = 2
DARK = 8.0
"""Added to colours before their logarithm: below it, noise rules."""
SHADING = 0.3
"""Deviation of the logarithm of brightness over a face beside what its cheeks show."""
TINT = 0.03
"""Least deviation of the logarithm of a colour."""


class SkinSegmenter(Protocol):
    """Tell skin from the rest."""

    def segment(
        self,
        crop: Float[Tensor, "3 S S"],
        landmarks: Float[Tensor, "68 2"],
        path: Path | None = None,
        crop_from_image: Float[Tensor, "2 3"] | None = None,
    ) -> Float[Tensor, "1 S S"]:
        """Give the probability of skin in [0, 1] of an aligned crop.

        Args:
            crop: (3, S, S) RGB in [0, 1].
            landmarks: (68, 2) px of the crop.
            path: of the photograph, for segmenters that look something up.
            crop_from_image: (2, 3) similarity that cut the crop.

        Raises:
            MGCError: if this photograph cannot be served.
        """
        ...


class SkinColours:
    """Segment skin by its colour: Jones and Rehg's model joined with the colours of this face's own cheeks.

    The general model (IJCV 46, 2002) fails on grey pictures, coloured light and skins that its web photographs lack;
    a Gaussian fitted to the cheeks and the nose, which landmarks find, does not. Both are averaged as likelihoods of
    skin against those of other colours (Bayes' rule, even odds). Only the face is kept: the hull of the landmarks,
    raised to the hairline, without eyes and the open mouth.

    On 60 synthetic views of all complexions, 40 % of them with something before the face, it finds 96 % of the skin (of
    nine tenths of the views more than 91 %); 96 % of what it finds is skin. Things of the colour of skin stay in.

    Args:
        own: weight of the face's own colours; 0 leaves Jones and Rehg's model alone.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> from mgc_lightning.synthetic import SyntheticSettings, make_triplets
        >>> easy = SyntheticSettings(occluders=0.0, camera_noise=0.0)
        >>> batch = make_triplets(load_face_model(), [3], image_size=96, views=1, settings=easy)
        >>> points = batch.landmarks[0, 0]
        >>> found = SkinColours().segment(batch.images[0, 0], points) > 0.5
        >>> true = (batch.skin[0, 0] > 0.5) & (face_area(points, 96) > 0.5)
        >>> found.shape, bool((found & true).sum() > 0.95 * true.sum())
        (torch.Size([1, 96, 96]), True)
    """

    def __init__(self, own: float = 0.95) -> None:
        self.own = own

    def segment(
        self,
        crop: Float[Tensor, "3 S S"],
        landmarks: Float[Tensor, "68 2"],
        path: Path | None = None,
        crop_from_image: Float[Tensor, "2 3"] | None = None,
    ) -> Float[Tensor, "1 S S"]:
        """Give the probability of skin."""
        size = crop.shape[-1]
        colours = F.avg_pool2d(crop[None], 3, 1, 1, count_include_pad=False)[0].flatten(1).T * 255
        skin, other = log_mixture(colours, SKIN), log_mixture(colours, OTHER)
        inner = polygons_mask([_inner_face(landmarks)], size).flatten() > 0.5
        if self.own > 0 and int(inner.sum()) > 16:
            mine = _log_own(colours, colours[inner])
            weight = torch.tensor([1 - self.own, self.own]).log()
            skin = torch.logsumexp(torch.stack([skin + weight[0], mine + weight[1]]), 0)
        probability = torch.sigmoid(skin - other).reshape(1, size, size)
        return probability * face_area(landmarks, size)


def log_mixture(colours: Float[Tensor, "N 3"], table: tuple[tuple[float, ...], ...]) -> Float[Tensor, " N"]:
    """Give the log density of colours (0..255) under a mixture with diagonal covariances."""
    rows = torch.tensor(table, dtype=colours.dtype)
    mean, variance, weight = rows[:, :3], rows[:, 3:6], rows[:, 6]
    distance = ((colours[:, None] - mean).square() / variance).sum(-1)
    return torch.logsumexp(weight.log() - 0.5 * (distance + variance.log().sum(-1)), dim=1)


def _log_own(colours: Float[Tensor, "N 3"], sample: Float[Tensor, "M 3"]) -> Float[Tensor, " N"]:
    """Give the log density of colours (0..255) under a Gaussian of this face, in the logarithm of the colours.

    There shading is a shift along the grey axis, along which the Gaussian is wide.
    """
    places, seen = (colours + DARK).log(), (sample + DARK).log()
    # The nearer part keeps nostrils, glasses and highlights out.
    near = seen[(seen - seen.median(0).values).norm(dim=1).argsort()[: max(len(seen) * 6 // 10, 8)]]
    covariance = 4 * torch.cov(near.T) + SHADING**2 * torch.full((3, 3), 1 / 3) + TINT**2 * torch.eye(3)
    offset = places - near.mean(0)
    distance = (offset @ torch.linalg.inv(covariance) * offset).sum(1)
    # The density of the colours themselves: times the derivative of the logarithm.
    return -0.5 * (distance + torch.logdet(covariance)) - places.sum(1)


def _inner_face(landmarks: Tensor) -> Tensor:
    """Give the polygon between the eyes, the cheekbones and the upper lip."""
    eyes_low = (landmarks[[41, 46]] + landmarks[[48, 54]] * 0.3) / 1.3
    cheeks = (landmarks[[2, 14]] + landmarks[[33, 33]] * 2) / 3
    return torch.stack([eyes_low[0], landmarks[28], eyes_low[1], cheeks[1], landmarks[33], cheeks[0]])


def face_area(landmarks: Float[Tensor, "68 2"], size: int) -> Float[Tensor, "1 S S"]:
    """Give the area of the face (1, size, size): jaw to hairline, without eyes and the open mouth.

    The hairline lies above the brows by about the distance from the brows to the nose's base.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> from mgc_lightning.geometry import intrinsics, pose_to_transform, project, transform_points
        >>> model = load_face_model()
        >>> points = transform_points(pose_to_transform(model.main_pose), model.landmarks68(model.mean))
        >>> area = face_area(project(points, intrinsics(64)), size=64)
        >>> area.shape, 0.2 < area.mean().item() < 0.6
        (torch.Size([1, 64, 64]), True)
    """
    brows = landmarks[17:27]
    up = (landmarks[27] - landmarks[33]) * 0.9
    outline = torch.cat([landmarks[:17], (brows + up).flip(0)])
    holes = polygons_mask([landmarks[36:42], landmarks[42:48], landmarks[60:68]], size)
    return polygons_mask([_hull(outline)], size) * (1 - holes)


def _hull(points: Tensor) -> Tensor:
    from scipy.spatial import ConvexHull, QhullError

    try:
        return points[torch.from_numpy(ConvexHull(points.numpy()).vertices.astype(np.int64))]
    except (QhullError, ValueError):
        return points


def polygons_mask(polygons: list[Float[Tensor, "_ 2"]], size: int) -> Float[Tensor, "1 S S"]:
    """Fill polygons in px, pixel centres at +.5, with smooth edges.

    Example:
        >>> square = torch.tensor([[2.0, 2.0], [6.0, 2.0], [6.0, 6.0], [2.0, 6.0]])
        >>> mask = polygons_mask([square], size=8)
        >>> mask.shape, mask[0, 4].round().int().tolist()
        (torch.Size([1, 8, 8]), [0, 0, 1, 1, 1, 1, 0, 0])
    """
    image = Image.new("L", (size * _OVERSAMPLING, size * _OVERSAMPLING), 0)
    draw = ImageDraw.Draw(image)
    for polygon in polygons:
        points = (polygon * _OVERSAMPLING - 0.5).clamp(-10 * size, 10 * size)
        draw.polygon([(float(u), float(v)) for u, v in points], fill=255)
    mask = torch.from_numpy(np.asarray(image, dtype=np.float32) / 255)
    return F.avg_pool2d(mask[None], _OVERSAMPLING)


class MaskFolder:
    """Take skin masks from pictures the size of the photographs: 0 other, 255 skin.

    Args:
        folder: `folder/anna/1.png` serves `photos/anna/1.jpg`, and so does `folder/1.png`.
        root: of the photographs.

    Raises:
        MGCError: if the folder does not exist.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> Image.new("L", (8, 8), 255).save(folder / "anna.png")
        >>> matrix = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
        >>> MaskFolder(folder).segment(torch.zeros(3, 8, 8), torch.zeros(68, 2), Path("photos/anna.jpg"), matrix).mean()
        tensor(1.)
    """

    def __init__(self, folder: str | Path, root: str | Path | None = None) -> None:
        folder = Path(folder)
        root = None if root is None else Path(root)
        if not folder.is_dir():
            raise MGCError(f"{folder}: no such folder of skin masks")
        self.folder, self.root = folder, root

    def segment(
        self,
        crop: Float[Tensor, "3 S S"],
        landmarks: Float[Tensor, "68 2"],
        path: Path | None = None,
        crop_from_image: Float[Tensor, "2 3"] | None = None,
    ) -> Float[Tensor, "1 S S"]:
        """Read the mask of a photograph and cut it as the photograph was cut."""
        if path is None or crop_from_image is None:
            raise MGCError("Skin masks in files need the photograph's path and its alignment")
        places = companion_places(self.folder, path, self.root, _MASK_SUFFIXES)
        file = next((place for place in places if place.is_file()), None)
        if file is None:
            raise MGCError(f"{self.folder}: no skin mask for {path.name}; expected one of {[p.name for p in places]}")
        mask = read_photo(file).mean(0, keepdim=True)
        return warp_to_crop(mask[None], crop_from_image[None], crop.shape[-1], padding="zeros", antialias=True)[0]
