"""Where photographs come from: folders, lists, videos, known data sets."""

from mgc_lightning.photographs.sources.find import KINDS, open_source
from mgc_lightning.photographs.sources.photo import Photo, PhotoSource
from mgc_lightning.photographs.sources.read import read_source_photo

__all__ = ["KINDS", "Photo", "PhotoSource", "open_source", "read_source_photo"]
