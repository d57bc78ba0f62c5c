"""The scan benchmark: photographs of textured head scans, and the faces that methods make of them, by NoW."""

from mgc_lightning.lazy_names import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
