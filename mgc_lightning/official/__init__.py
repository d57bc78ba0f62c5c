"""What only the paper's TensorFlow files need: checkpoints, names, weights."""

from mgc_lightning.lazy_names import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
