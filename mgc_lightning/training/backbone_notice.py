"""What a user is told about a backbone of their own before it is trained."""

from __future__ import annotations

import logging

from torch import nn

from mgc_lightning.encoders.rebuild import rebuilding_trouble
from mgc_lightning.encoders.registry import class_path

logger = logging.getLogger(__name__)


def tell_about_backbone(backbone: nn.Module) -> None:
    """Say how a network with a backbone of the user's own will be loaded, or why it will not."""
    name, trouble = class_path(type(backbone)), rebuilding_trouble(backbone)
    if trouble is None:
        module = type(backbone).__module__
        logger.info("The backbone `%s` is yours: name its module to load the network, `imports=%s`.", name, [module])
        return
    logger.warning(
        "No program can build the backbone `%s` again from a checkpoint. %s\nUntil then: training, resuming with the "
        "same config, and the exports to ONNX and torch.export work; loading the .ckpt or the .safetensors "
        "(`load_network`, and every command that takes a checkpoint) does not.",
        name,
        trouble,
    )
