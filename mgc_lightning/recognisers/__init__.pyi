from .facenet import FaceNet as FaceNet
from .inception_resnet_v1 import InceptionResnetV1 as InceptionResnetV1
