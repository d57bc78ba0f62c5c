from .history import History as History
from .history import read_history as read_history
from .write import write_report as write_report
