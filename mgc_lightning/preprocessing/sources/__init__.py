"""Where photographs come from: folders, lists, videos, known data sets."""

from mgc_lightning.preprocessing.sources.find import KINDS, open_source
from mgc_lightning.preprocessing.sources.photo import Photo, PhotoSource

__all__ = ["KINDS", "Photo", "PhotoSource", "open_source"]
