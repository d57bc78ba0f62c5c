from .helpful import HelpfulParser as HelpfulParser
from .parser import CommandParser as CommandParser
from .types import Flag as Flag
from .types import Metavar as Metavar
