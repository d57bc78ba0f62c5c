"""How a network is calibrated on photographs of people; nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mgc_lightning.arguments.checked import Checked
from mgc_lightning.arguments.types import Count, Metavar, Within

Ridge = Annotated[float, Metavar("WEIGHT"), Within(1e-3)]
People = Annotated[int, Metavar("N"), Within(5)]


@dataclass(frozen=True)
class CalibrateSettings(Checked):
    """Choose how far photographs of people move a network's outputs.

    Attributes:
        rounds: times that the mean of the people is found anew from the faces that it was the prior of.
        ridge: weight of the prior that the network's identity says nothing of a person, in squared standard deviations
            summed over 200 photographs. Larger values trust the mean of the people more.
        ridge_expression: of the prior that expressions need no correction beyond their mean.
        least: photographs with a face mesh below which nothing is calibrated.
        source: what the photographs are and who may use them, for those who get the network; nothing if not given.
    """

    rounds: Count = 6
    ridge: Ridge = 60.0
    ridge_expression: Ridge = 100.0
    least: People = 20
    source: str | None = None
