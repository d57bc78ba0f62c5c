"""Face coefficients: their names, sizes and order in the flat vector (spec of MGCNet: id, albedo, exp, pose, light)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Literal, Self

import torch
from jaxtyping import Float
from torch import Tensor

CoefficientGroup = Literal["identity", "albedo", "expression", "pose", "light"]
"""Groups of coefficients, in the official order of the flat vector."""
POSE_SIZE = 6
LIGHT_SIZE = 27
LIGHT_AMBIENT = 0.8
"""Constant of the first spherical harmonic of every colour, added to the network's output."""


@dataclass(frozen=True)
class CoefficientLayout:
    """Give the size and the slice of each group in the flat vector.

    Order: identity, albedo, expression, pose (rz, ry, rx, tx, ty, tz), light (3 colours x 9 bands).

    Example:
        >>> CoefficientLayout(identity=80, albedo=80, expression=64).total
        257
    """

    identity: int
    albedo: int
    expression: int

    @property
    def sizes(self) -> dict[str, int]:
        """Sizes of all groups, in the official order."""
        return {
            "identity": self.identity,
            "albedo": self.albedo,
            "expression": self.expression,
            "pose": POSE_SIZE,
            "light": LIGHT_SIZE,
        }

    @property
    def total(self) -> int:
        """Length of the flat vector."""
        return sum(self.sizes.values())

    @property
    def slices(self) -> dict[str, slice]:
        """Slice of each group in the flat vector."""
        slices, start = {}, 0
        for name, size in self.sizes.items():
            slices[name] = slice(start, start + size)
            start += size
        return slices


@dataclass
class FaceCoefficients:
    """Hold the coefficients of faces, any batch shape `...`, absolute (main pose and ambient light included).

    Attributes:
        identity: (..., I) in standard deviations.
        albedo: (..., A) in standard deviations.
        expression: (..., E) in the face model's units (standard deviations; ARKit weights for blendshapes).
        pose: (..., 6) rz, ry, rx in radians, tx, ty, tz in mm; `T_cam_model`.
        light: (..., 27) spherical harmonics, colour-major (R 9, G 9, B 9), head frame.

    Example:
        >>> layout = CoefficientLayout(identity=80, albedo=40, expression=52)
        >>> vectors = torch.arange(2.0 * layout.total).view(2, layout.total)  # of two faces
        >>> faces = FaceCoefficients.from_vector(vectors, layout)
        >>> faces.expression.shape, torch.equal(faces.to_vector(), vectors)
        (torch.Size([2, 52]), True)
        >>> faces.map(lambda group: group[0]).pose  # of the first
        tensor([172., 173., 174., 175., 176., 177.])
    """

    identity: Float[Tensor, "*batch I"]
    albedo: Float[Tensor, "*batch A"]
    expression: Float[Tensor, "*batch E"]
    pose: Float[Tensor, "*batch 6"]
    light: Float[Tensor, "*batch 27"]

    @classmethod
    def from_vector(cls, vector: Float[Tensor, "*batch C"], layout: CoefficientLayout) -> Self:
        """Split a flat vector (..., C) by the layout."""
        if vector.shape[-1] != layout.total:
            raise ValueError(f"Expected a vector of {layout.total} coefficients {layout.sizes}, got {vector.shape[-1]}")
        return cls(**{name: vector[..., part] for name, part in layout.slices.items()})

    def to_vector(self) -> Float[Tensor, "*batch C"]:
        """Concatenate all groups in the official order."""
        return torch.cat([getattr(self, field.name) for field in fields(self)], dim=-1)

    def map(self, function: Callable[[Tensor], Tensor]) -> Self:
        """Apply a function to every group, e.g. `c.map(lambda x: x.flatten(0, 1))`."""
        return replace(self, **{field.name: function(getattr(self, field.name)) for field in fields(self)})

    @property
    def layout(self) -> CoefficientLayout:
        """Sizes of the groups."""
        return CoefficientLayout(self.identity.shape[-1], self.albedo.shape[-1], self.expression.shape[-1])
