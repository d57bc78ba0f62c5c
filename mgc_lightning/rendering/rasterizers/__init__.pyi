from .base import Rasterizer as Rasterizer
from .base import RasterizerName as RasterizerName
from .choice import BACKENDS as BACKENDS
from .choice import available_rasterizers as available_rasterizers
from .choice import get_rasterizer as get_rasterizer
