"""Face recognisers, frozen, for the identity loss."""

from mgc_lightning.recognisers.facenet import FaceNet, load_recogniser
from mgc_lightning.recognisers.inception_resnet_v1 import InceptionResnetV1

__all__ = ["FaceNet", "InceptionResnetV1", "load_recogniser"]
