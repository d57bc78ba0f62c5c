from .cli import MGCCLI as MGCCLI
from .cli import find_config as find_config
from .cli import run_training as run_training
from .module import MGCModule as MGCModule
from .nonfinite import NonFiniteGuard as NonFiniteGuard
