"""How far an export of a network is from the network."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.networks.face_network import FaceNetwork

OUTPUTS = ("coefficients", "verts", "landmarks")
"""Names of the outputs of every export, in order."""


TOLERANCES = {"coefficients": 1e-4, "verts": 1e-2, "landmarks": 1e-2}
"""Largest difference to the module: coefficients relative to their size where that exceeds 1; mm; px."""


BATCHES = (1, 3)


Runner = Callable[[Tensor], Sequence[Tensor]]


def compare(
    network: FaceNetwork,
    run: Runner,
    batches: Sequence[int] = BATCHES,
    images: Float[Tensor, "B 3 S S"] | None = None,
) -> dict[str, float]:
    """Measure the largest differences between a network and another form of it on seeded images.

    Coefficients are compared relative to their size where that exceeds 1: the distance counts thousands of
    mm.

    Args:
        network: the module.
        run: maps images (B, 3, S, S) to the same outputs.
        batches: sizes B that are tried.
        images: to compare on, instead of noise in these batches.

    Returns:
        One number for each of `OUTPUTS`; infinity where shapes differ or a value is not finite.

    Example:
        >>> from mgc_lightning import Encoder, ResNet, load_face_model
        >>> model = load_face_model()
        >>> network = FaceNetwork(Encoder(ResNet(18, width=4), model.layout.total), model, image_size=32).eval()
        >>> compare(network, network, batches=[1])  # with itself
        {'coefficients': 0.0, 'verts': 0.0, 'landmarks': 0.0}
    """
    generator = torch.Generator().manual_seed(0)
    worst = dict.fromkeys(OUTPUTS, 0.0)
    side = network.image_size
    for each in [torch.rand(n, 3, side, side, generator=generator) for n in batches] if images is None else [images]:
        with torch.no_grad():
            results, expected = run(each), network(each)
        for name, found, truth in zip(OUTPUTS, results, expected, strict=True):
            if found.shape != truth.shape or not bool(found.isfinite().all()):
                worst[name] = float("inf")
                continue
            difference = (found - truth).abs()
            if name == "coefficients":
                difference = difference / truth.abs().clamp(min=1.0)
            worst[name] = max(worst[name], float(difference.max()))
    return worst
