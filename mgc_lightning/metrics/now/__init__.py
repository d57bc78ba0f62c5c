"""The NoW benchmark: scan-to-mesh error of neutral faces, at the official numbers."""

from mgc_lightning.lazy_names import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
