from .check import Check as Check
from .check import State as State
from .check import is_healthy as is_healthy
from .check import report_lines as report_lines
from .examination import examine as examine
