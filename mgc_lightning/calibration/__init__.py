"""Networks calibrated on photographs of people: no label, no training."""

from mgc_lightning.lazy_names import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
