from .faces import FacePreparer as FacePreparer
from .official import convert_official as convert_official
from .run import prepare as prepare
from .settings import FaceSettings as FaceSettings
from .settings import PrepareSettings as PrepareSettings
