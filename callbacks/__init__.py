"""Lightning callbacks: scores, pictures, export."""

from callbacks.aflw2000 import AFLW2000Score
from callbacks.contact_sheet import ContactSheet
from callbacks.export import ExportBestCheckpoint
from callbacks.now import NoWBenchmark
from callbacks.realy import REALYBenchmark
from callbacks.summary import SummaryTable

__all__ = ["AFLW2000Score", "ContactSheet", "ExportBestCheckpoint", "NoWBenchmark", "REALYBenchmark", "SummaryTable"]
