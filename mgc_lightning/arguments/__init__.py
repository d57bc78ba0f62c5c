"""From the arguments of functions to those of the command line; nothing here imports torch."""

from mgc_lightning.lazy_names import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
