"""The local page: photographs dropped on it become faces that turn, smile and are lit from elsewhere."""

from mgc_lightning.lazy_names import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
