from .methods import Method as Method
from .methods import read_method as read_method
from .run import compare_methods as compare_methods
from .statistics import Comparison as Comparison
from .statistics import Estimate as Estimate
from .tables import write_comparison as write_comparison
