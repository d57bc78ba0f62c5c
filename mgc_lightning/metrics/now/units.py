"""Units of lengths that predictions may have."""

from __future__ import annotations

from typing import Literal

Unit = Literal["mm", "cm", "m"]
UNIT_TO_MM: dict[Unit, float] = {"mm": 1.0, "cm": 10.0, "m": 1000.0}
