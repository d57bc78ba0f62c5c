"""One page of a training, of a benchmark's results, of reconstructed faces: it holds all that it shows."""

from mgc_lightning.lazy_names import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
