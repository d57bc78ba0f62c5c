"""From sources of photographs to sets of triplets: resumable, over cores, with a report of everything refused."""

from mgc_lightning.lazy_names import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
