from . import now as now
from . import realy as realy
