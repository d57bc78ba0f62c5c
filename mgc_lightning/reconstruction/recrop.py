"""Boxes made into crops: cut again on the points that the network predicts, until they stay where they are.

A network reads a face well where it is framed as in training, and says in a box that is loose, tight or off at least
which way the face lies. So crops of several sizes and places around the box are each cut again on their own predicted
points; those that see the face come to the same place, the others stray. The best is the one that many came to and
whose rendered face has the marks of the picture, and it is cut again until it stands.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from mgc_lightning.coefficients import FaceCoefficients
from mgc_lightning.geometry.camera import intrinsics, project
from mgc_lightning.geometry.pose import pose_to_transform, transform_points
from mgc_lightning.networks.predictor import Predictor
from mgc_lightning.photographs.box import mean_face_box, similarity_from_box
from mgc_lightning.photographs.crop import (
    five_points,
    invert_similarity,
    similarity_to_template,
    template,
    transform_points2d,
    warp_to_crop,
)
from mgc_lightning.rendering.renderer import FaceRenderer

SIZES = (1.0, 0.55, 0.7, 0.85, 1.2)
"""Of the first crops over that of the box."""
PLACES = ((0.0, 0.0), (0.2, 0.0), (-0.2, 0.0), (0.0, 0.2), (0.0, -0.2))
"""Of the first crops from that of the box, in sides of the box."""
ROUNDS, SAME = (2, 2), 0.05
"""Times that all first crops are cut again; and then those of them that are no nearer, which stand for the others."""
NEAR = 0.25
"""Mean distance of two crops' five points, over their spread, from which they do not agree."""
STANDS = 0.02
"""Movement of a corner in sides of the crop below which a crop stands."""
AGREE = 0.1
"""Share of the first crops that must come to a face for it to be one: of 360 boxes around 40 faces, off by up to 60 %,
.2 to .55 do in the mean, .05 to .08 by a network that was trained on exact crops only."""
STEPS = 6
"""Times that the best crop is cut again at most."""
DETAIL = 0.135
"""Side, over that of the crop, of the window whose mean is taken off both pictures before they are compared."""


@dataclass(frozen=True)
class SettledCrop:
    """Hold a crop that was cut again on its own predicted points.

    Attributes:
        crop_from_image: (2, 3) similarity, px to px.
        steps: times that it was cut, the first cut not counted.
        converged: it moved by less than a fiftieth of its side in the end, most of the face is in the picture, and a
            tenth of the first crops came to it.
        movement: of its corners at the last step, in sides of the crop.
        agreement: share of the first crops that came to the same face; 1 where there was one.

    Example:
        >>> crop = SettledCrop(torch.eye(2, 3), steps=3, converged=True, movement=0.01, agreement=0.8)
        >>> crop.converged, crop.agreement
        (True, 0.8)
    """

    crop_from_image: Float[Tensor, "2 3"]
    steps: int
    converged: bool
    movement: float
    agreement: float = 1.0


def settle_box(predictor: Predictor, image: Float[Tensor, "3 H W"], box: Float[Tensor, " 4"]) -> SettledCrop:
    """Find the crop of the face that a box holds, loosely, tightly or off by a sixth of its side.

    Args:
        predictor: whose landmarks the crops are cut again on.
        image: the photograph, RGB in [0, 1].
        box: x0, y0, x1, y1 px, as `check_plausible_box` lets it through.

    Example:
        >>> from mgc_lightning import Encoder, FaceNetwork, ResNet, load_face_model
        >>> model = load_face_model()
        >>> network = FaceNetwork(Encoder(ResNet(18, width=4), model.layout.total), model, image_size=32)
        >>> box = torch.tensor([100.0, 50.0, 200.0, 180.0])
        >>> found = settle_box(Predictor.from_network(network), torch.rand(3, 200, 300), box)
        >>> found.crop_from_image.shape, found.converged  # crops of a network that knows nothing stand nowhere
        (torch.Size([2, 3]), False)
    """
    return _Search(predictor, image, box).settle()


def settle_crop(
    predictor: Predictor, image: Float[Tensor, "3 H W"], crop_from_image: Float[Tensor, "2 3"]
) -> SettledCrop:
    """Cut a crop again on its predicted points until it stands, from one start: that of a frame before, say."""
    corners = _corners(predictor.image_size)
    around = transform_points2d(invert_similarity(crop_from_image.cpu()), corners)
    return _Search(predictor, image, torch.cat([around.amin(0), around.amax(0)])).stand(crop_from_image.cpu())


class _Search:
    """Cut and predict in a part of the photograph around a box, as large as the network's crops need it."""

    def __init__(self, predictor: Predictor, image: Tensor, box: Tensor) -> None:
        self.predictor, self.size = predictor, predictor.image_size
        self.extent = torch.tensor([image.shape[-1], image.shape[-2]])
        self.box = box.cpu().float()
        height, width = image.shape[-2:]
        centre, half = (self.box[:2] + self.box[2:]) / 2, 1.5 * (self.box[2:] - self.box[:2])
        low = (centre - half).floor().clamp(min=0).minimum(torch.tensor([width - 1.0, height - 1.0]))
        high = (centre + half).ceil().minimum(torch.tensor([width, height])).maximum(low + 1)
        part = image[:, int(low[1]) : int(high[1]), int(low[0]) : int(high[0])]
        factor = min(1.0, 2 * self.size / float((self.box[2:] - self.box[:2]).max()))
        sides = [max(1, round(side * factor)) for side in part.shape[-2:]]
        if factor < 1:
            part = F.interpolate(part[None], size=sides, mode="bilinear", antialias=True)[0]
        self.part = part.to(predictor.device)
        scale = torch.tensor([part.shape[-1], part.shape[-2]]) / (high - low)
        self.part_from_image = torch.tensor([scale[0], scale[1]]), low

    def settle(self) -> SettledCrop:
        """Settle on the face of the box."""
        matrices = self._first()
        for _ in range(ROUNDS[0]):
            matrices = self._again(matrices)[0]
        kept, count = _distinct(self._five(matrices))
        matrices = matrices[kept]
        for _ in range(ROUNDS[1]):
            matrices = self._again(matrices)[0]
        moved, coefficients, crops = self._again(matrices)
        agreement = _agreement(self._five(matrices), count)
        best = int((agreement + self._likeness(crops, coefficients)).argmax())
        matrix, share = matrices[best], float(agreement[best])
        movement = self._movement(moved[best], matrix)
        if movement < STANDS:
            return SettledCrop(matrix, sum(ROUNDS), share >= AGREE and self._in_picture(matrix), movement, share)
        stood = self.stand(moved[best])
        steps = stood.steps + sum(ROUNDS) + 1
        converged = share >= AGREE and stood.converged
        return SettledCrop(stood.crop_from_image, steps, converged, stood.movement, share)

    def stand(self, matrix: Float[Tensor, "2 3"]) -> SettledCrop:
        """Cut a crop again until it stands."""
        movement = float("inf")
        for step in range(1, STEPS + 1):
            moved = self._again(matrix[None])[0][0]
            movement = self._movement(moved, matrix)
            matrix = moved
            if movement < STANDS:
                return SettledCrop(matrix, step, self._in_picture(matrix), movement)
        return SettledCrop(matrix, STEPS, False, movement)

    def _first(self) -> Float[Tensor, "N 2 3"]:
        target = mean_face_box(self.predictor.face_model, self.size).cpu()
        centre, sides = (self.box[:2] + self.box[2:]) / 2, self.box[2:] - self.box[:2]
        middles = [centre + sides * torch.tensor(place) for place in PLACES]
        halves = [size * sides / 2 for size in SIZES]
        boxes = [torch.cat([middle - half, middle + half]) for half in halves for middle in middles]
        return torch.stack([similarity_from_box(box, target) for box in boxes])

    @torch.no_grad()
    def _again(self, matrices: Float[Tensor, "N 2 3"]) -> tuple[Tensor, FaceCoefficients, Tensor]:
        """Cut, predict, and align by the predicted points."""
        scale, low = self.part_from_image
        # px of the part are scaled px of the photograph from its corner.
        inside = torch.cat(
            [matrices[..., :2] / scale, transform_points2d(matrices, low.expand(len(matrices), 1, 2)).mT], dim=-1
        )
        device = self.predictor.device
        crops = torch.cat(
            [warp_to_crop(self.part[None], m[None].to(device), self.size, antialias=True) for m in inside]
        ).clamp(0, 1)
        coefficients = self.predictor.coefficients(crops)
        model = self.predictor.face_model
        points = model.landmarks68(model.shape(coefficients.identity, coefficients.expression))
        K = intrinsics(self.size, self.predictor.focal, device=points.device)
        seen = project(transform_points(pose_to_transform(coefficients.pose), points), K).cpu()
        five = transform_points2d(invert_similarity(matrices), five_points(seen))
        usable = five.isfinite().all(-1).all(-1) & (_spread(five) > 1)
        aligned = similarity_to_template(torch.where(usable[:, None, None], five, self._five(matrices)), self.size)
        return aligned, coefficients, crops

    def _five(self, matrices: Float[Tensor, "N 2 3"]) -> Float[Tensor, "N 5 2"]:
        """Give where in the photograph the template's five points lie."""
        return transform_points2d(invert_similarity(matrices), template(self.size).expand(len(matrices), 5, 2))

    def _in_picture(self, matrix: Float[Tensor, "2 3"]) -> bool:
        """Tell whether most of the five points are in the picture: beyond it everything stands."""
        five = self._five(matrix[None])[0]
        return int(((five >= 0) & (five <= self.extent)).all(1).sum()) >= 3

    def _movement(self, now: Tensor, before: Tensor) -> float:
        corners = _corners(self.size)
        moved = transform_points2d(now, transform_points2d(invert_similarity(before), corners))
        return float((moved - corners).norm(dim=-1).max()) / self.size

    @torch.no_grad()
    def _likeness(self, crops: Float[Tensor, "N 3 S S"], coefficients: FaceCoefficients) -> Float[Tensor, " N"]:
        """Correlate the details of crops and of their rendered faces, inside the faces."""
        model = self.predictor.face_model
        mesh, T_cam_model = model(coefficients), pose_to_transform(coefficients.pose)
        K = intrinsics(self.size, self.predictor.focal, device=crops.device)
        faces = model.face_region_faces
        drawn = FaceRenderer()(mesh, T_cam_model, K, coefficients.light, self.size, faces=faces)
        a, b = (_details(picture.mean(1, keepdim=True), drawn.mask) for picture in (crops, drawn.image))
        energy = (a.square().sum((1, 2, 3)) * b.square().sum((1, 2, 3))).sqrt()
        return ((a * b).sum((1, 2, 3)) / energy.clamp(min=1e-6)).cpu()


def _details(grey: Float[Tensor, "N 1 S S"], mask: Float[Tensor, "N 1 S S"]) -> Float[Tensor, "N 1 S S"]:
    window = 2 * max(1, round(DETAIL * grey.shape[-1] / 2)) + 1

    def mean(values: Tensor) -> Tensor:
        return F.avg_pool2d(values * mask, window, stride=1, padding=window // 2)

    return (grey - mean(grey) / mean(torch.ones_like(grey)).clamp(min=1e-3)) * mask


def _distances(five: Float[Tensor, "N 5 2"]) -> Float[Tensor, "N N"]:
    """Give the mean distance of two crops' points, over the spread of the smaller."""
    spread = _spread(five)
    return (five[:, None] - five[None]).norm(dim=-1).mean(-1) / torch.minimum(spread[:, None], spread[None])


def _distinct(five: Float[Tensor, "N 5 2"]) -> tuple[Int[Tensor, " M"], Float[Tensor, " M"]]:
    """Choose crops that stand for all: those chosen, and how many each stands for."""
    distances = _distances(five)
    kept: list[int] = []
    counts: list[int] = []
    for row in range(len(five)):
        near = [place for place, other in enumerate(kept) if distances[row, other] < SAME]
        if near:
            counts[near[0]] += 1
        else:
            kept.append(row)
            counts.append(1)
    return torch.tensor(kept), torch.tensor(counts, dtype=torch.float32)


def _agreement(five: Float[Tensor, "N 5 2"], counts: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
    """Give the share of crops that lie near each; the nearer, the more they count."""
    return (1 - _distances(five) / NEAR).clamp(min=0) @ (counts / counts.sum())


def _spread(five: Float[Tensor, "N 5 2"]) -> Float[Tensor, " N"]:
    return (five - five.mean(-2, keepdim=True)).square().sum(-1).mean(-1).sqrt()


def _corners(size: int) -> Float[Tensor, "4 2"]:
    return torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]) * size
