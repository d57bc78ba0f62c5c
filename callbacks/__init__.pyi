from .aflw2000 import AFLW2000Score as AFLW2000Score
from .benchmark import BenchmarkCallback as BenchmarkCallback
from .contact_sheet import ContactSheet as ContactSheet
from .export import ExportBestCheckpoint as ExportBestCheckpoint
from .now import NoWBenchmark as NoWBenchmark
from .realy import REALYBenchmark as REALYBenchmark
from .summary import SummaryTable as SummaryTable
from .validation_faces import ValidationFaces as ValidationFaces
