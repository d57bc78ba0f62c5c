"""What a network keeps of its calibration on photographs of people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

from mgc_lightning.arguments.checked import Checked
from mgc_lightning.arguments.types import Count, Weight
from mgc_lightning.errors import MGCError


@dataclass(frozen=True)
class Calibrated(Checked):
    """Say on what a network was calibrated: its identities hold for photographs of people, and how far.

    Attributes:
        photographs: whose meshes of a detector were known, of all calibrations.
        identity_error: how far a predicted identity is off what the meshes say, in standard deviations of people: the
            root mean square over coefficients and over photographs that the last fit had not seen.
        source: what the photographs are, in words, of all calibrations.

    Example:
        >>> Calibrated.from_dict({"photographs": 204, "identity_error": 0.2, "source": "a set"}).photographs
        204
    """

    photographs: Count
    identity_error: Weight
    source: str = ""

    def after(self, before: Calibrated | None) -> Calibrated:
        """Give it for a network that had been calibrated before: whose photographs are in it stays known.

        Example:
            >>> first, then = Calibrated(200, 0.2, "a set"), Calibrated(30, 0.1, "my colleagues")
            >>> then.after(first)
            Calibrated(photographs=230, identity_error=0.1, source='a set; my colleagues')
        """
        if before is None:
            return self
        sources = "; ".join(source for source in (before.source, self.source) if source)
        return replace(self, photographs=before.photographs + self.photographs, source=sources)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any] | None) -> Self | None:
        """Read what `dataclasses.asdict` wrote; None for a network that was not calibrated.

        Raises:
            MGCError: if something else is there.
        """
        if values is None:
            return None
        names = {field.name for field in fields(cls)}
        if not isinstance(values, Mapping) or not {"photographs", "identity_error"} <= set(values) <= names:
            raise MGCError(f"The stored `calibrated` must name {', '.join(sorted(names))}; got {str(values)[:200]}")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Give plain values."""
        return asdict(self)
