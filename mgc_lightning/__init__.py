"""Self-supervised monocular 3D face reconstruction by multi-view geometry consistency, on PyTorch Lightning."""

from mgc_lightning.lazy_names import attach

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = attach(__name__, __file__)
