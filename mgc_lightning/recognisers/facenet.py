"""FaceNet with its published weights, frozen, as the identity loss takes it."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from mgc_lightning.errors import MGCError
from mgc_lightning.files.weights import read_official
from mgc_lightning.recognisers.inception_resnet_v1 import InceptionResnetV1


class FaceNet(InceptionResnetV1):
    """Map face crops, RGB in [0, 1], to unit embeddings (B, 512) by the weights of 20180402-114759.

    It stays in evaluation mode and its weights take no gradient; images do.

    Args:
        path: what `mgc import-official --network facenet` wrote.

    Raises:
        MGCError: if the file holds something else.

    Example:
        >>> import tempfile, torch
        >>> from mgc_lightning.files.weights import save_official
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = f"{folder}/facenet.safetensors"
        ...     save_official(InceptionResnetV1().state_dict(), path, {"network": "facenet"})  # of no training, here
        ...     recogniser = FaceNet(path)
        >>> embedding = recogniser(torch.rand(1, 3, 160, 160))
        >>> embedding.shape, round(embedding.norm().item(), 3)
        (torch.Size([1, 512]), 1.0)
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        _, state = read_official(path, "facenet")
        missing = self.load_state_dict(state, strict=False).missing_keys
        # The original norm has no scale, and torch counts batches; everything else must be there.
        absent = [key for key in missing if not key.endswith(("norm.weight", "norm.num_batches_tracked"))]
        if absent:
            raise MGCError(f"{path} lacks {len(absent)} tensors of the recogniser, the first `{absent[0]}`")
        self.requires_grad_(False)
        self.train(False)

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode."""
        return super().train(False)
