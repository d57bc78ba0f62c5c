"""Files: written whole or not at all, read without running what they hold."""

from mgc_lightning.lazy_names import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
