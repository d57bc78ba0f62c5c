"""The NoW benchmark: scan-to-mesh error of neutral faces, at the official numbers."""

from mgc_lightning.metrics.now.aggregate import CHALLENGES, PooledError, cumulative_curve, pool
from mgc_lightning.metrics.now.crop import CroppedScan, crop_region, crop_scan
from mgc_lightning.metrics.now.image import ImageError, now_error
from mgc_lightning.metrics.now.landmarks import INDEX_IN_68, LANDMARK_NAMES, as_landmarks
from mgc_lightning.metrics.now.metric import NoWError
from mgc_lightning.metrics.now.scores import NoWScores, ScoredImage

__all__ = [
    "CHALLENGES",
    "INDEX_IN_68",
    "LANDMARK_NAMES",
    "CroppedScan",
    "ImageError",
    "NoWError",
    "NoWScores",
    "PooledError",
    "ScoredImage",
    "as_landmarks",
    "crop_region",
    "crop_scan",
    "cumulative_curve",
    "now_error",
    "pool",
]
