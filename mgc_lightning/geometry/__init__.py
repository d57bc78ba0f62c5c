"""Cameras, poses, meshes, view synthesis and epipolar geometry."""

from mgc_lightning.lazy_names import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
