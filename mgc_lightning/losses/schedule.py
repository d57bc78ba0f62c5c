"""Weights that change while training runs."""

from __future__ import annotations

from dataclasses import dataclass

from mgc_lightning.errors import MGCError, check_number


@dataclass(frozen=True)
class Ramp:
    """Change a weight's factor linearly from `start` to 1 while progress goes from `begin` to `until`.

    Attributes:
        start: factor before `begin`; 0 switches a loss on late, 10 makes a prior strong early.
        until: progress in [0, 1] from which the factor is 1.
        begin: progress until which the factor is `start`.

    Example:
        >>> ramp = Ramp(start=9.0, until=0.5)
        >>> ramp(0.0), ramp(0.25), ramp(1.0)
        (9.0, 5.0, 1.0)
    """

    start: float
    until: float
    begin: float = 0.0

    def __post_init__(self) -> None:
        check_number("start", self.start, -1e12, 1e12)
        if not 0 <= self.begin <= self.until <= 1:
            raise MGCError(f"A ramp needs 0 <= begin <= until <= 1; got begin={self.begin}, until={self.until}")

    def __call__(self, progress: float) -> float:
        """Give the factor at a progress in [0, 1]."""
        if progress >= self.until:
            return 1.0
        passed = max(progress - self.begin, 0.0) / (self.until - self.begin)
        return self.start + (1.0 - self.start) * passed
