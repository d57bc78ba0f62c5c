"""What this machine offers, what is missing, and the remedy: the checks behind `mgc doctor`."""

from mgc_lightning.lazy_names import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
