"""Encoders: a backbone that gives a feature map, and a head that turns it into the raw coefficient vector."""

from mgc_lightning.encoders.encoder import Encoder
from mgc_lightning.encoders.head import CoefficientHead
from mgc_lightning.encoders.official_resnet import OfficialResNet, official_encoder
from mgc_lightning.encoders.resnet import ResNet
from mgc_lightning.encoders.timm_backbone import TimmBackbone

__all__ = ["CoefficientHead", "Encoder", "OfficialResNet", "ResNet", "TimmBackbone", "official_encoder"]
