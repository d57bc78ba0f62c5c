from . import now as now
from . import realy as realy
from . import scan as scan
from .benchmark import BenchmarkRun as BenchmarkRun
from .folder import BenchmarkFolder as BenchmarkFolder
from .journal import Journal as Journal
from .submission import Submission as Submission
