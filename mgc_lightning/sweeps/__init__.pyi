from .file import Sweep as Sweep
from .file import read_sweep as read_sweep
from .results import SweepResult as SweepResult
from .results import TrialResult as TrialResult
from .run import run_sweep as run_sweep
from .space import Parameter as Parameter
