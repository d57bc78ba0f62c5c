"""The REALY benchmark: region-aware scan-to-mesh error, at the official numbers."""

from mgc_lightning.metrics.realy.evaluate import RegionError, SubjectErrors, realy_errors
from mgc_lightning.metrics.realy.metric import REALYError
from mgc_lightning.metrics.realy.placement import place_keypoints
from mgc_lightning.metrics.realy.regions import REGIONS
from mgc_lightning.metrics.realy.scan import REALYScan, ScanRegion
from mgc_lightning.metrics.realy.scores import RealyScores, RegionStatistics, ScoredPrediction
from mgc_lightning.metrics.realy.topology import Topology

__all__ = [
    "REGIONS",
    "REALYError",
    "REALYScan",
    "RealyScores",
    "RegionError",
    "RegionStatistics",
    "ScanRegion",
    "ScoredPrediction",
    "SubjectErrors",
    "Topology",
    "place_keypoints",
    "realy_errors",
]
