"""What of Lightning's own messages a training shows: none that advertise, are about its insides, or come twice."""

from __future__ import annotations

import logging
import warnings

LIBRARY = ("mgc_lightning", "datamodules", "callbacks")
LIGHTNING = ("lightning", "lightning.pytorch", "lightning.fabric")
_NOISE = ("💡 Tip", "TPU available", "HPU available", "`weights_only` was not set")
_WARNINGS = (
    r"LightningCLI.s args parameter",
    r".*was provided to the `Field\(\)` function.*",
    r".*isinstance\(treespec, LeafSpec\).*",
    r".*skip_none parameter was deprecated.*",
    r".*instantiate_classes.. was deprecated.*",
)


class Noise(logging.Filter):
    """Leave out what says nothing of the training, and what was said already.

    Example:
        >>> texts = ("💡 Tip: install", "stopped", "stopped")
        >>> records = [logging.makeLogRecord({"msg": text, "levelno": logging.INFO}) for text in texts]
        >>> noise = Noise()
        >>> [bool(noise.filter(record)) for record in records]
        [False, True, False]
    """

    def __init__(self) -> None:
        super().__init__()
        self.last = ""

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record is shown."""
        message = record.getMessage()
        if message.startswith(_NOISE) or (message == self.last and record.levelno < logging.WARNING):
            return False
        self.last = message
        return True


def set_verbosity(verbosity: int) -> None:
    """Show warnings alone (-1), what matters (0), or all that our parts and Lightning say (1)."""
    level = {-1: logging.WARNING, 0: logging.INFO, 1: logging.DEBUG}[verbosity]
    for name in LIBRARY:
        logging.getLogger(name).setLevel(level)
    for name in LIGHTNING:
        # Lightning sets a level and a handler of its own.
        logger = logging.getLogger(name)
        logger.setLevel(level)
        for handler in logger.handlers:
            for earlier in [each for each in handler.filters if isinstance(each, Noise)]:
                handler.removeFilter(earlier)
            if verbosity < 1:
                handler.addFilter(Noise())
    if verbosity < 1:
        for message in _WARNINGS:
            warnings.filterwarnings("ignore", message=message)
