"""What one unit of each raw output of the encoder means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.arguments.checked import Checked
from mgc_lightning.arguments.types import Weight
from mgc_lightning.coefficients import CoefficientLayout
from mgc_lightning.errors import MGCError


@dataclass(frozen=True)
class OutputScaling(Checked):
    """Scale the raw outputs, a group at a time, so that all of them learn at a similar pace.

    Attributes:
        identity: standard deviations per unit of output.
        albedo: standard deviations per unit.
        expression: the face model's `expression_sigma` per unit.
        rotation: radians per unit of rz, ry, rx.
        translation_xy: mm per unit of tx and ty.
        translation_z: mm per unit of tz at the default focal length; it follows the focal length, as the
            distance of the main pose does.
        light: per unit of every light coefficient.

    Example:
        >>> from mgc_lightning import FaceCoefficients, load_face_model
        >>> layout = load_face_model().layout
        >>> scales = OutputScaling(rotation=(0.1, 0.4, 0.2), translation_xy=8.0).vector(layout)
        >>> FaceCoefficients.from_vector(scales, layout).pose
        tensor([0.1000, 0.4000, 0.2000, 8.0000, 8.0000, 1.0000])
    """

    identity: Weight = 1.0
    albedo: Weight = 1.0
    expression: Weight = 1.0
    rotation: tuple[float, float, float] = (1.0, 1.0, 1.0)
    translation_xy: Weight = 1.0
    translation_z: Weight = 1.0
    light: Weight = 1.0

    @classmethod
    def official(cls) -> Self:
        """Leave the outputs as they are: radians and millimetres (MGCNet sec. 3; its released weights)."""
        return cls()

    @classmethod
    def measured(cls) -> Self:
        """Give the scales that trained best on synthetic triplets: about the spread of each group."""
        return cls(rotation=(0.2, 0.4, 0.2), translation_xy=8.0, translation_z=200.0, light=0.15)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `dataclasses.asdict` wrote."""
        known = {field.name for field in fields(cls)}
        if set(values) - known:
            raise MGCError(f"Unknown output scales {sorted(set(values) - known)}; known are {sorted(known)}")
        return cls(**{**values, "rotation": tuple(values.get("rotation", (1.0, 1.0, 1.0)))})

    def vector(
        self,
        layout: CoefficientLayout,
        expression_sigma: Float[Tensor, " E"] | None = None,
        distance_ratio: float = 1.0,
    ) -> Float[Tensor, " C"]:
        """Spread the scales over the flat vector.

        Args:
            layout: sizes of the groups.
            expression_sigma: (E,) of the face model; ones if not given.
            distance_ratio: focal length over the default one.
        """
        scale = torch.ones(layout.total)
        slices = layout.slices
        scale[slices["identity"]] = self.identity
        scale[slices["albedo"]] = self.albedo
        sigma = torch.ones(layout.expression) if expression_sigma is None else expression_sigma.cpu()
        scale[slices["expression"]] = self.expression * sigma
        xy, z = self.translation_xy, self.translation_z * distance_ratio
        scale[slices["pose"]] = torch.tensor([*self.rotation, xy, xy, z])
        scale[slices["light"]] = self.light
        return scale
