"""Any backbone of timm, through the extra of that name."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from mgc_lightning.encoders.normalisation import ImageNormalisation
from mgc_lightning.errors import MGCError, require

LOADING = ("checkpoint_path", "cache_dir", "state_dict", "file", "url", "hf_hub_id")
"""Arguments of timm, beside `pretrained...`, that load something."""


class TimmBackbone(nn.Module):
    """Turn images into the last feature map of a timm model, with that model's own input statistics.

    Args:
        name: a timm model name, e.g. `convnext_tiny`.
        pretrained: start from timm's weights (downloads them).
        options: further arguments of `timm.create_model`.

    Raises:
        MissingExtraError: if timm is not installed.
        MGCError: if timm has no such model, or it has no feature maps.

    Example:
        >>> backbone = TimmBackbone("mobilenetv3_small_050")  # doctest: +SKIP
        >>> backbone(torch.rand(1, 3, 64, 64)).shape  # doctest: +SKIP
        torch.Size([1, 576, 2, 2])
    """

    def __init__(self, name: str, pretrained: bool = False, options: dict[str, Any] | None = None) -> None:
        super().__init__()
        timm = require("timm", "timm")
        try:
            model = timm.create_model(
                name, pretrained=pretrained, features_only=True, out_indices=[-1], **(options or {})
            )
        except (RuntimeError, ValueError) as error:
            raise MGCError(
                f"timm could not build `{name}` as a backbone of feature maps: {error}. "
                "List the names with `timm.list_models()`."
            ) from error
        self.model = model
        # A stored network brings its own weights: building it again downloads nothing.
        self.config = {"name": name, "options": dict(options or {})}
        self.num_features = int(model.feature_info.channels()[-1])
        statistics = getattr(model, "pretrained_cfg", None) or {}
        known = {key: statistics[key] for key in ("mean", "std") if key in statistics}
        self.normalise = ImageNormalisation(**known)

    @staticmethod
    def stored_arguments(init_args: dict[str, Any]) -> dict[str, Any]:
        """Give the arguments of a file, which brings its own weights: nothing is downloaded or opened for it.

        Raises:
            MGCError: if they name another file or place to load from.
        """
        options = dict(init_args.get("options") or {})
        loading = sorted(key for key in options if key.startswith("pretrained") or key in LOADING)
        if loading or ":" in str(init_args.get("name")):
            raise MGCError(
                f"The stored backbone would load weights from elsewhere ({', '.join(loading) or init_args['name']}): "
                "a file may name a model of timm and the sizes of its parts, no other file or address"
            )
        return {**init_args, "pretrained": False, "options": options}

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B D h w"]:
        """Encode RGB images in [0, 1]."""
        features = self.model(self.normalise(images))[-1]
        # Some transformers give their maps channels last.
        if features.shape[1] != self.num_features and features.shape[-1] == self.num_features:
            features = features.permute(0, 3, 1, 2)
        return features
