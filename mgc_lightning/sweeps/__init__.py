"""Sweeps: files of Weights & Biases, run here on Optuna, without account or server."""

from mgc_lightning.lazy_names import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
