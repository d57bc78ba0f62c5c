"""Encoders: a backbone that gives a feature map, and a head that turns it into the raw coefficient vector."""

from mgc_lightning.lazy_names import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
