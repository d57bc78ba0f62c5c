"""How much a person's identity differs from photograph to photograph, and between persons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.geometry.alignment import apply_similarity, similarity_fit


@dataclass(frozen=True)
class Spread:
    """Hold root mean squares over vertices, mm (or over coefficients, standard deviations).

    Attributes:
        within: of a person's faces about their mean.
        between: of the persons' means about the mean of all; None for one person.
    """

    within: float
    between: float | None

    @property
    def ratio(self) -> float | None:
        """Within over between: below 1, photographs of one person are more alike than persons are."""
        return self.within / self.between if self.between else None


def spread(people: Mapping[str, Float[Tensor, "n D"]], size: int) -> Spread:
    """Measure the spread of vectors, unbiased for few samples.

    Args:
        people: name -> (n, D) one row a photograph, n >= 2.
        size: numbers that one vector's squared length is spread over: vertices, or coefficients.

    Example:
        >>> one, other = torch.tensor([[0.0], [2.0]]), torch.tensor([[10.0], [12.0]])
        >>> found = spread({"a": one, "b": other}, 1)
        >>> round(found.within, 3), round(found.between, 3)
        (1.414, 7.0)
    """
    variances = [rows.var(0, unbiased=True).sum() / size for rows in people.values()]
    within = torch.stack(variances).mean()
    if len(people) < 2:
        return Spread(float(within.sqrt()), None)
    means = torch.stack([rows.mean(0) for rows in people.values()])
    # A mean of n photographs has a share 1/n of their variance, which is no difference between persons.
    share = sum(float(v) / len(rows) for v, rows in zip(variances, people.values(), strict=True)) / len(people)
    between = means.var(0, unbiased=True).sum() / size - share
    return Spread(float(within.sqrt()), float(between.clamp(min=0).sqrt()))


def aligned_faces(
    verts: Sequence[Float[Tensor, "N 3"]], mean: Float[Tensor, "N 3"], mask: Tensor
) -> Float[Tensor, "n D"]:
    """Bring neutral faces of one topology onto the mean face by similarities, and give the masked vertices in a row.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> model = load_face_model()
        >>> rows = aligned_faces([model.mean, 1.2 * model.mean + 5.0], model.mean, model.face_mask)
        >>> rows.shape[0], bool((rows[0] - rows[1]).abs().max() < 1e-3)  # size and place are left out
        (2, True)
    """
    rows = []
    for points in verts:
        s, R, t = similarity_fit(points[mask].double(), mean[mask].double())
        rows.append(apply_similarity(points[mask].double(), s, R, t).flatten())
    return torch.stack(rows)
