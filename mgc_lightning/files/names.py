"""Names that files bring: made safe before anything is read or written by them."""

from __future__ import annotations

import re
from pathlib import Path

from mgc_lightning.errors import MGCError
from mgc_lightning.files.reading import excerpt

LONGEST = 200
"""Bytes of one part of a name: file systems take 255, and temporary files have longer names."""
_ODD = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_DRIVE = re.compile(r"^[A-Za-z]:")


def safe_name(name: object, source: object, nested: bool = False) -> str:
    r"""Make sure that a name leads nowhere but into the folder that it will be put into.

    Every name that comes from a file goes through here: shards of manifests, lines of lists, members of archives,
    images of materials.

    Args:
        name: as the file has it; `\` separates as `/` does.
        source: the file, and the place in it; for the message.
        nested: it may name folders, too.

    Returns:
        the name, its parts separated by `/`.

    Raises:
        MGCError: if it is empty, absolute, climbs by `..`, has control characters, is too long, or names folders where
            a plain name is due.

    Example:
        >>> safe_name("anna/1.jpg", "list.txt", nested=True)
        'anna/1.jpg'
        >>> safe_name("../../evil.jpg", "list.txt", nested=True)
        Traceback (most recent call last):
        mgc_lightning.errors.MGCError: list.txt: the name '../../evil.jpg' leads out of its folder; it is not followed
    """
    if not isinstance(name, str) or not name:
        raise MGCError(f"{source}: expected a name, got {excerpt(repr(name))}")
    # `./skin.mtl` is how many programs name a neighbour.
    given = name.replace("\\", "/").split("/")
    parts = [given[0], *(part for part in given[1:] if part)] if given[-1] else given
    parts = [part for part in parts if part != "."] or ["."]
    shown = excerpt(repr(name))
    # Windows takes `.. ` and `...` for `..`.
    if not parts[0] or _DRIVE.match(name) or any(len(part) > 1 and not part.strip(". ") for part in parts):
        raise MGCError(f"{source}: the name {shown} leads out of its folder; it is not followed")
    if _ODD.search(name) or "" in parts or "." in parts or name != name.strip():
        raise MGCError(f"{source}: the name {shown} is none of a file")
    if len(parts) > 1 and not nested:
        raise MGCError(f"{source}: expected a plain name without folders, got {shown}")
    if any(len(part.encode()) > LONGEST for part in parts) or len(parts) > 16:
        raise MGCError(f"{source}: the name {shown} is too long; expected at most {LONGEST} bytes a part")
    return "/".join(parts)


def inside(folder: str | Path, name: object, source: object, nested: bool = False) -> Path:
    """Give the path of a name inside a folder; see `safe_name`.

    Example:
        >>> inside("cache", "train-0.tar", "manifest.json").as_posix()
        'cache/train-0.tar'
    """
    return Path(folder) / safe_name(name, source, nested)
