from .initialise import initialise_backbone as initialise_backbone
from .kinds import OfficialNetwork as OfficialNetwork
from .tf_checkpoint import TensorFlowCheckpoint as TensorFlowCheckpoint
from .weights import import_official as import_official
