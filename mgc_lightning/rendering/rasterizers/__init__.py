"""Exchangeable rasterizers: `numba` on the CPU, `triton` on CUDA, `pytorch3d` where it is installed."""

from mgc_lightning.lazy_names import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
