"""What Lightning offers and this module cannot do, told in a sentence; and what Lightning itself says."""

from __future__ import annotations

from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Trainer, callbacks
from lightning.pytorch.plugins.precision import DoublePrecision, HalfPrecision

from mgc_lightning.errors import MGCError
from mgc_lightning.files.reading import excerpt

MIXED = "32-true, bf16-mixed or 16-mixed"
# Lightning has them from 2.6 on.
_AVERAGING: type = getattr(callbacks, "WeightAveraging", type(None))
_MISSING_SCORE = "Early stopping conditioned on metric"


def check_trainer(trainer: Trainer) -> None:
    """Make sure that a trainer can work with an `MGCModule`.

    Raises:
        MGCError: if its precision changes that of geometry, or a callback averages what has no average.

    Example:
        >>> check_trainer(Trainer(accelerator="cpu", precision="64-true", logger=False))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        mgc_lightning.errors.MGCError: `precision` 64-true: geometry is computed in float32; take 32-true...
    """
    plugin = trainer.precision_plugin
    if isinstance(plugin, DoublePrecision | HalfPrecision):
        raise MGCError(f"`precision` {plugin.precision}: geometry is computed in float32; take {MIXED}")
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if not isinstance(callback, _AVERAGING):
            continue
        own = any(getattr(callback, "_kwargs", {}).get(name) for name in ("multi_avg_fn", "avg_fn"))
        if getattr(callback, "_use_buffers", False) and not own:
            raise MGCError(
                f"{type(callback).__name__} would average the masks of the face model: give it `use_buffers: false`, "
                "or take EMAWeightAveraging"
            )


def said_by_lightning(error: BaseException) -> str | None:
    """Give what Lightning says of settings that do not go together, in a line; None if the error is of another kind.

    Example:
        >>> said_by_lightning(MisconfigurationException("No logger.")), said_by_lightning(RuntimeError("CUDA"))
        ('No logger.', None)
    """
    text = " ".join(str(error).split())
    if isinstance(error, MisconfigurationException) or text.startswith(_MISSING_SCORE):
        return excerpt(text, 700)
    return None
