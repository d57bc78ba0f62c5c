"""How a network is calibrated on photographs of people; nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass

from mgc_lightning.arguments.checked import Checked
from mgc_lightning.arguments.types import Count, Weight


@dataclass(frozen=True)
class CalibrateSettings(Checked):
    """Choose how far photographs of people move a network's outputs.

    Attributes:
        rounds: times that the mean of the people is found anew from the faces that it was the prior of.
        ridge: weight of the prior that the network's identity says nothing of a person, in squared standard deviations
            summed over 200 photographs. Larger values trust the mean of the people more.
        ridge_expression: of the prior that expressions need no correction beyond their mean.
        least: photographs with a face mesh below which nothing is calibrated.
        source: what the photographs are and who may use them, for those who get the network.
    """

    rounds: Count = 6
    ridge: Weight = 60.0
    ridge_expression: Weight = 100.0
    least: Count = 20
    source: str = ""
