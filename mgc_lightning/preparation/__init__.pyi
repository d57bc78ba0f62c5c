from .faces import FacePreparer as FacePreparer
from .faces import FaceSettings as FaceSettings
from .official import convert_official as convert_official
from .run import prepare as prepare
from .settings import PrepareSettings as PrepareSettings
