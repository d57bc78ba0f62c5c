"""Configs as files: looked through before they are followed, so that a mistake is told and a bomb is not unpacked."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from mgc_lightning.errors import MGCError
from mgc_lightning.files.reading import excerpt, reading, reason
from mgc_lightning.files.text import read_text

MOST_BYTES = 2**20
MOST_NODES = 100_000
"""Values of a config when its aliases are followed; the largest of ours has under a hundred."""
DEEPEST = 40
LONGEST_KEY = 200
"""Letters of a key; those of ours with all that stands before them have under a hundred."""


def check_config(path: Path) -> None:
    r"""Make sure that a file is a config that can be followed.

    Raises:
        MGCError: with the line, if it is no text, no YAML, no mapping, has a key twice, or unpacks to more than
            `MOST_NODES` values.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "mine.yaml"
        >>> _ = path.write_text("model: {focal: 4700}\nmodel: {focal: 1015}\n")
        >>> check_config(path)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        mgc_lightning.errors.MGCError: ...mine.yaml, line 2: the key `model` is there twice, first in line 1
    """
    text = read_text(path, most=MOST_BYTES)
    if path.read_bytes()[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):  # the parser reads UTF-8 alone
        raise MGCError(f"{path}: expected UTF-8 text, got UTF-16; save it as UTF-8")
    try:
        events = _Events(path, yaml.parse(text, Loader=yaml.SafeLoader))
        events.document()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        said = getattr(error, "problem", None) or reason(error)
        raise MGCError(f"{path}{line}: no YAML ({excerpt(str(said), 200)})") from error
    except RecursionError as error:
        raise MGCError(f"{path}: nested too deep") from error


def read_config(path: Path) -> dict[str, Any]:
    """Read a config's own keys, once it is looked through; nothing in it is interpolated or imported.

    Raises:
        MGCError: as `check_config`, and for a value that is none, such as the date 2026-02-30.

    Example:
        >>> from mgc_lightning.files.places import configs_folder
        >>> read_config(configs_folder() / "quickstart.yaml")["seed_everything"]
        0
    """
    check_config(path)
    with reading(path, "no YAML"):
        return yaml.safe_load(read_text(path, most=MOST_BYTES))


class _Events:
    """Go through the events of a YAML file, which follow no alias, and count what following them would give."""

    def __init__(self, path: Path, events: Iterator[Any]) -> None:
        self.path, self.events = path, events
        self.anchors: dict[str, int] = {}

    def document(self) -> None:
        """Check the only document of a file."""
        next(self.events)
        event = next(self.events)
        if isinstance(event, yaml.StreamEndEvent):
            raise MGCError(f"{self.path}: the config is empty")
        top = next(self.events)
        if not isinstance(top, yaml.MappingStartEvent):
            raise self._wrong(top, "expected a config, keys and values")
        self.node(top, 0)
        next(self.events)
        if not isinstance(following := next(self.events), yaml.StreamEndEvent):
            raise self._wrong(following, "a second document begins; expected one config a file")

    def node(self, event: Any, depth: int) -> int:
        """Check a value, and count its values."""
        if depth > DEEPEST:
            raise self._wrong(event, "nested too deep")
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                raise self._wrong(event, f"the alias *{event.anchor} stands inside what it names, or names nothing")
            return self.anchors[event.anchor]
        count = 1
        if isinstance(event, yaml.MappingStartEvent):
            count += self._mapping(depth)
        elif isinstance(event, yaml.SequenceStartEvent):
            while not isinstance(inner := next(self.events), yaml.SequenceEndEvent):
                count += self.node(inner, depth + 1)
        if count > MOST_NODES:
            raise self._wrong(event, f"it unpacks to more than {MOST_NODES} values")
        if getattr(event, "anchor", None):
            self.anchors[event.anchor] = count
        return count

    def _mapping(self, depth: int) -> int:
        lines: dict[str, int] = {}
        count = 0
        while not isinstance(key := next(self.events), yaml.MappingEndEvent):
            if isinstance(key, yaml.ScalarEvent) and key.value != "<<":
                line = key.start_mark.line + 1
                if len(key.value) > LONGEST_KEY:
                    raise self._wrong(key, f"the key `{excerpt(key.value)}` has more than {LONGEST_KEY} letters")
                if key.value in lines:
                    first = lines[key.value]
                    raise self._wrong(key, f"the key `{excerpt(key.value)}` is there twice, first in line {first}")
                lines[key.value] = line
            count += self.node(key, depth + 1) + self.node(next(self.events), depth + 1)
            if count > MOST_NODES:
                raise self._wrong(key, f"it unpacks to more than {MOST_NODES} values")
        return count

    def _wrong(self, event: Any, what: str) -> MGCError:
        return MGCError(f"{self.path}, line {event.start_mark.line + 1}: {what}")
