"""Files that belong to photographs: landmarks, masks, in a folder of their own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def companion_places(folder: Path, photograph: Path, root: Path | None, suffixes: Sequence[str]) -> list[Path]:
    """Give where the file of a photograph may lie: at its relative path, then at its name, with each suffix.

    Args:
        folder: of the files.
        photograph: its path.
        root: of the photographs; their folders below it are looked for in `folder` too.
        suffixes: of the files, in the order of preference.

    Example:
        >>> places = companion_places(Path("masks"), Path("photos/anna/1.jpg"), Path("photos"), [".png"])
        >>> [place.as_posix() for place in places]
        ['masks/anna/1.png', 'masks/1.png']
    """
    names = [Path(photograph.name)]
    if root is not None and photograph.is_relative_to(root):
        names.insert(0, photograph.relative_to(root))
    return [folder / name.with_suffix(suffix) for name in names for suffix in suffixes]
