"""REALY: data set, predictions, benchmark folder, submission, table."""

from mgc_lightning.lazy_names import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
