from .atomic import atomic_path as atomic_path
from .checkpoints import read_checkpoint as read_checkpoint
from .mesh import MeshFile as MeshFile
from .mesh import read_mesh as read_mesh
from .mesh import write_mesh as write_mesh
from .places import cache_folder as cache_folder
from .places import configs_folder as configs_folder
from .unpickle import load_arrays as load_arrays
