"""Methods compared on the same images: paired, with confidence intervals, tables and curves."""

from mgc_lightning.lazy_names import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
