from .facenet import FaceNet as FaceNet
from .facenet import load_recogniser as load_recogniser
from .inception_resnet_v1 import InceptionResnetV1 as InceptionResnetV1
