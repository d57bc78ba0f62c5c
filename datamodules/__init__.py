"""LightningDataModules and their datasets."""

from datamodules.aflw2000 import AFLW2000DataModule
from datamodules.now import NoWDataModule
from datamodules.realy import REALYDataModule
from datamodules.synthetic import SyntheticTriplets
from datamodules.triplets import TripletDataModule

__all__ = ["AFLW2000DataModule", "NoWDataModule", "REALYDataModule", "SyntheticTriplets", "TripletDataModule"]
