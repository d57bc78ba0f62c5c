"""Names of NoW: its challenges, and the units that predictions may have; nothing here imports torch."""

from __future__ import annotations

from typing import Literal, get_args

Challenge = Literal["multiview_neutral", "multiview_expressions", "multiview_occlusions", "selfie"]
"""Kinds of photographs, by which the official program splits its scores."""
CHALLENGES: tuple[Challenge, ...] = get_args(Challenge)
"""All of them, in the official order."""
Unit = Literal["mm", "cm", "m"]
"""Units of lengths of predictions whose scale is kept."""
UNIT_TO_MM: dict[Unit, float] = {"mm": 1.0, "cm": 10.0, "m": 1000.0}
"""How many millimetres each is."""
