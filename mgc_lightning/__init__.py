"""Self-supervised monocular 3D face reconstruction by multi-view geometry consistency, on PyTorch Lightning."""

__version__ = "0.1.0"
