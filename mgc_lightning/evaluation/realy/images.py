"""The images of a REALY data set: `<subject>.jpg` (frontal) and `<subject>_<view>.jpg` (side)."""

from __future__ import annotations

from pathlib import Path

from mgc_lightning.evaluation.realy.predictions import is_prediction_name, of_view, official_order

_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


def list_images(folder: Path, view: str | None = None) -> dict[str, Path]:
    """List images by name, in the official order; files of other names (depth maps) are passed over.

    Args:
        folder: of the images; none are found where it does not exist.
        view: `frontal`, `side` or None for all.
    """
    if not folder.is_dir():
        return {}
    found = {
        path.stem: path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in _SUFFIXES and is_prediction_name(path.stem) and of_view(path.stem, view)
    }
    return dict(sorted(found.items(), key=lambda item: official_order(item[0])))
