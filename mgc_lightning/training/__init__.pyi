from .cli import MGCCLI as MGCCLI
from .cli import run_training as run_training
from .flags import find_config as find_config
from .module import MGCModule as MGCModule
from .nonfinite import NonFiniteGuard as NonFiniteGuard
