"""Text: lists, cameras, landmarks, JSON of others, and JSON of ours; one place knows encodings, sizes, torn ends."""

from __future__ import annotations

import codecs
import json
import logging
import os
from pathlib import Path
from typing import Any, Literal

from mgc_lightning.errors import MGCError
from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.files.reading import excerpt, reading, reason

logger = logging.getLogger(__name__)
LARGEST = 256 * 2**20
"""Bytes of a file that is read as text; meshes have readers of their own."""

_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def read_text(
    path: str | Path, others: Literal["refuse", "replace"] = "refuse", most: int = LARGEST, torn: bool = False
) -> str:
    r"""Read a text file: UTF-8, or UTF-16 with its mark.

    Args:
        path: of the file.
        others: what becomes of bytes of another encoding. Names would be other names, so they are refused; where only
            numbers count, comments may be replaced.
        most: bytes that it may have.
        torn: say in a warning that the last line is not ended, where nothing else tells whether the file is whole.

    Raises:
        MGCError: if it is missing, too large, binary, or of another encoding.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "list.txt"
        >>> _ = path.write_bytes("anna\nJosé\n".encode("latin-1"))
        >>> read_text(path)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        mgc_lightning.errors.MGCError: ...list.txt, line 2: expected UTF-8 text, got the byte 0xe9; save it as UTF-8
        >>> read_text(path, others="replace").splitlines()[0]
        'anna'
    """
    with reading(path, "cannot be read"):
        size = Path(path).stat().st_size
        if size > most:
            raise MGCError(f"{path}: expected text of at most {most / 2**20:.0f} MB, got {size / 2**20:.0f} MB")
        data = Path(path).read_bytes()
    text = decode_text(data, path, others)
    if torn and text and not text.endswith(("\n", "\r")):
        logger.warning("%s: its last line is not ended: the file may be cut off.", path)
    return text


def decode_text(data: bytes, source: object, others: Literal["refuse", "replace"] = "refuse") -> str:
    """Decode text as `read_text` does."""
    encoding = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding, "strict" if others == "refuse" else "replace")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise MGCError(
            f"{source}, line {line}: expected UTF-8 text, got the byte 0x{data[error.start]:02x}; save it as UTF-8"
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise MGCError(f"{source}, line {line}: expected text, got the byte 0; save it as UTF-8, if it is text")
    return text


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Raises:
        MGCError: if it is missing, no text, or no JSON.
    """
    return parse_json(read_text(path), path)


def parse_json(text: str | bytes, source: object) -> Any:
    """Parse JSON of a file.

    Raises:
        MGCError: if it is no JSON.

    Example:
        >>> parse_json('{"a": 1}', "points.json")
        {'a': 1}
        >>> parse_json("[" * 100000, "points.json")
        Traceback (most recent call last):
        mgc_lightning.errors.MGCError: points.json: no JSON (it is nested too deep)
    """
    if isinstance(text, bytes):
        text = decode_text(text, source)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MGCError(f"{source}: no JSON ({reason(error)})") from error


def json_text(content: Any) -> str:
    r"""Write content as JSON that people read too; any UTF-8 file can hold it, and `parse_json` gives it back.

    Letters stay as they are. Names of files that are no text, for whose bytes Python has halves of surrogates, would
    be no UTF-8: then everything beyond ASCII is escaped.

    Example:
        >>> print(json_text({"name": "José"}), json_text({"name": "jos\udce9"}))
        {
         "name": "José"
        } {
         "name": "jos\udce9"
        }
    """
    text = json.dumps(content, indent=1, ensure_ascii=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = json.dumps(content, indent=1)
    return text


def write_json(path: str | os.PathLike[str], content: Any) -> Path:
    """Write JSON, whole or not at all: UTF-8, a line an entry, the last one ended.

    Args:
        path: of the file; its folder is made if need be.
        content: mappings, lists, text, numbers.

    Returns:
        The file.

    Raises:
        NotWrittenError: if it cannot be written, with the reason.

    Example:
        >>> import tempfile
        >>> path = write_json(Path(tempfile.mkdtemp()) / "scores.json", {"median": 1.31})
        >>> read_json(path)
        {'median': 1.31}
    """
    target = Path(path)
    with atomic_path(target) as temporary:
        temporary.write_bytes(f"{json_text(content)}\n".encode())
    return target


def short(line: str) -> str:
    """Show a line in a message."""
    return excerpt(repr(line), 60)
