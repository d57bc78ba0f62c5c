"""Augmentation of triplets: flip, scale, crop, colour, blur, JPEG, occlusion, from given numbers, on any device."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from kornia.geometry.transform import warp_affine
from torch import Tensor, nn

from mgc_lightning.arguments.checked import Checked
from mgc_lightning.errors import MGCError
from mgc_lightning.structures import FaceTriplet
from mgc_lightning.synthetic.anchors import face_anchors
from mgc_lightning.synthetic.camera_noise import CAMERA_NUMBERS, CameraNoise, draw_camera
from mgc_lightning.synthetic.occluders import SHAPES, draw_occluder
from mgc_lightning.synthetic.settings import SyntheticSettings
from mgc_lightning.synthetic.shapes import ROW, paint, place_shapes

_PAIRS = (
    [(i, 16 - i) for i in range(8)] + [(17 + i, 26 - i) for i in range(5)] + [(31, 35), (32, 34)]
    + [(36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)]
    + [(48, 54), (49, 53), (50, 52), (55, 59), (56, 58), (60, 64), (61, 63), (65, 67)]
)  # fmt: skip
MIRRORED = list(range(68))
"""Landmark that each of the iBUG 68 becomes in a mirror."""
for _a, _b in _PAIRS:
    MIRRORED[_a], MIRRORED[_b] = _b, _a


@dataclass(frozen=True)
class AugmentationSettings(Checked):
    """Set how strongly samples are disturbed; all zeros leave them alone.

    Attributes:
        flip: share of samples that are mirrored.
        scale: views are scaled by up to this, up or down: .1 is 0.9 to 1.1.
        shift: crops move by up to this share of their side.
        camera: strength of colour changes, blur, loss of resolution, noise and JPEG compression; 1 is what synthetic
            data have.
        occlusion: share of views with something before the face.
        camera_follows: scale and shift change K; otherwise the head has to be found elsewhere, and K stays the
            convention's. Without it, linked triplets contradict each other a little.

    Example:
        >>> settings = AugmentationSettings(flip=1.0, camera=0.0, occlusion=0.0)
        >>> drawn = draw_augmentation(np.random.default_rng(0), settings, views=3, linked=True)
        >>> bool(drawn["flip"]), drawn["warp"].shape, drawn["camera"].shape
        (True, torch.Size([3, 3]), torch.Size([3, 15]))
    """

    flip: float = 0.5
    scale: float = 0.06
    shift: float = 0.02
    camera: float = 0.5
    occlusion: float = 0.1
    camera_follows: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        bad = [f.name for f in fields(self) if f.name != "camera" and not 0 <= getattr(self, f.name) <= 1]
        if bad or self.camera < 0 or self.scale > 0.5:
            raise MGCError(f"Expected shares in [0, 1], scale <= .5 and camera >= 0; look at {bad or 'camera, scale'}")


def draw_augmentation(
    rng: np.random.Generator, settings: AugmentationSettings, views: int, linked: bool
) -> dict[str, Any]:
    """Draw the numbers of one sample: flip (), warp (V, 3) scale and shift, camera (V, 12), occluder (V, S, 13)."""
    warp = np.concatenate(
        [
            1 + settings.scale * rng.uniform(-1, 1, (views, 1)),
            settings.shift * rng.uniform(-1, 1, (views, 2)),
        ],
        axis=1,
    )
    flip = rng.random() < settings.flip
    noise = SyntheticSettings(camera_noise=settings.camera)
    camera = draw_camera(rng, noise, views, linked) if settings.camera > 0 else np.zeros((views, CAMERA_NUMBERS))
    occluder = np.zeros((views, SHAPES, ROW), dtype=np.float32)
    occluder[..., 2:4] = 1
    for view in range(views):
        if rng.random() < settings.occlusion:
            occluder[view] = draw_occluder(rng, 0.0)
    return {
        "flip": torch.tensor(flip),
        "warp": torch.from_numpy(warp.astype(np.float32)),
        "camera": torch.from_numpy(camera.astype(np.float32)),
        "occluder": torch.from_numpy(occluder),
    }


class Augmentation(nn.Module):
    """Apply drawn numbers to triplets: images, landmarks, skin and K move together.

    A mirrored sample also changes its sources' places: the source to one side becomes the one to the other.

    Args:
        settings: of the drawing; `camera` and `camera_follows` are read here.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> from mgc_lightning.synthetic import make_triplets
        >>> batch = make_triplets(load_face_model(), 1, image_size=32)
        >>> settings = AugmentationSettings(flip=1.0, scale=0.0, shift=0.0, camera=0.0, occlusion=0.0)
        >>> numbers = draw_augmentation(np.random.default_rng(0), settings, views=3, linked=True)
        >>> drawn = {name: torch.as_tensor(value)[None] for name, value in numbers.items()}
        >>> mirrored = Augmentation(settings)(batch, drawn)
        >>> bool(torch.allclose(mirrored.images[0, 0], batch.images[0, 0].flip(-1), atol=1e-5))
        True
    """

    def __init__(self, settings: AugmentationSettings) -> None:
        super().__init__()
        self.settings = settings
        self.camera = CameraNoise()

    @torch.no_grad()
    def forward(self, batch: FaceTriplet, numbers: dict[str, Tensor]) -> FaceTriplet:
        """Disturb a batch by the numbers of `draw_augmentation`, stacked."""
        B, V, _, _, size = batch.images.shape
        matrix = affine_matrices(numbers["flip"], numbers["warp"], size)
        flat = matrix.flatten(0, 1)
        pictures = torch.cat([batch.images, batch.skin], dim=2).flatten(0, 1)
        # kornia counts pixels from their centres at 0, the project's matrices from +.5.
        centred = flat.clone()
        centred[:, :, 2] += 0.5 * (flat[:, :, :2].sum(-1) - 1)
        pictures = warp_affine(pictures, centred, (size, size), padding_mode="border", align_corners=True)
        images, skin = pictures[:, :3].clamp(0, 1), pictures[:, 3:].clamp(0, 1)
        landmarks = batch.landmarks @ matrix[..., :2].mT + matrix[..., None, :, 2]
        landmarks = torch.where(numbers["flip"][:, None, None, None], landmarks[:, :, MIRRORED], landmarks)
        trust = batch.landmark_weights
        if trust is not None:
            trust = torch.where(numbers["flip"][:, None, None], trust[:, :, MIRRORED], trust)
        shapes = place_shapes(numbers["occluder"].flatten(0, 1), face_anchors(landmarks.flatten(0, 1), size))
        if bool((shapes[..., 11] > 0).any()):
            images, covered = paint(images, shapes)
            skin = skin * (1 - covered)
        if self.settings.camera > 0:
            images = self.camera(images, numbers["camera"].flatten(0, 1))
        moved = FaceTriplet(
            images.unflatten(0, (B, V)),
            landmarks,
            skin.unflatten(0, (B, V)),
            batch.link,
            camera_after(batch.K, matrix, numbers["flip"]) if self.settings.camera_follows else batch.K,
            batch.sample_id,
            person=batch.person,
            landmark_weights=trust,
        )
        return _swap_sources(moved, numbers["flip"])


def affine_matrices(flip: Tensor, warp: Float[Tensor, "B V 3"], size: int) -> Float[Tensor, "B V 2 3"]:
    """Give the maps of pixels (centres at +.5): scaled about the middle, shifted, mirrored.

    Example:
        >>> warp = torch.tensor([[[1.0, 0.0, 0.0]]])
        >>> affine_matrices(torch.tensor([True]), warp, size=224)[0, 0]  # mirrored: u becomes 224 - u
        tensor([[ -1.,  -0., 224.],
                [  0.,   1.,   0.]])
    """
    scale, shift = warp[..., 0], warp[..., 1:] * size
    matrix = torch.zeros(*warp.shape[:2], 2, 3, device=warp.device, dtype=warp.dtype)
    matrix[..., 0, 0] = matrix[..., 1, 1] = scale
    matrix[..., 2] = (0.5 * size * (1 - scale))[..., None] + shift
    mirrored = matrix.clone()
    mirrored[..., 0, :] *= -1
    mirrored[..., 0, 2] += size
    return torch.where(flip[:, None, None, None], mirrored, matrix)


def camera_after(
    K: Float[Tensor, "B V 3 3"], matrix: Float[Tensor, "B V 2 3"], flip: Tensor
) -> Float[Tensor, "B V 3 3"]:
    """Move the intrinsics with the pixels; a mirrored picture is one of a mirrored head, by a camera that is none.

    Example:
        >>> from mgc_lightning.geometry import intrinsics
        >>> K, flip = intrinsics(224).expand(1, 1, 3, 3), torch.tensor([False])
        >>> matrix = torch.tensor([[[[1.0, 0.0, 5.0], [0.0, 1.0, 0.0]]]])  # 5 px to the right
        >>> camera_after(K, matrix, flip)[0, 0, :2, 2]
        tensor([117., 112.])
    """
    square = torch.zeros_like(K)
    square[..., :2, :] = matrix
    square[..., 2, 2] = 1
    moved = square @ K
    # diag(-1, 1, 1) on the side of the head keeps focal lengths positive.
    sign = torch.where(flip, -1.0, 1.0).to(K)[:, None, None]
    moved[..., 0] = moved[..., 0] * sign
    return moved


def _swap_sources(batch: FaceTriplet, flip: Tensor) -> FaceTriplet:
    views = batch.images.shape[1]
    straight = torch.arange(views, device=flip.device)
    swapped = torch.cat([straight[:1], straight[1:].flip(0)])
    order = torch.where(flip[:, None], swapped, straight)
    rows = torch.arange(len(flip), device=flip.device)[:, None]
    return FaceTriplet(
        batch.images[rows, order],
        batch.landmarks[rows, order],
        batch.skin[rows, order],
        batch.link,
        batch.K[rows, order],
        batch.sample_id,
        person=None if batch.person is None else batch.person[rows, order],
        landmark_weights=None if batch.landmark_weights is None else batch.landmark_weights[rows, order],
    )
