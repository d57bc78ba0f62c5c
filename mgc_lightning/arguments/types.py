"""Types of arguments that carry what their values are called: a `Pixels` is an int, and `PX` in the help."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated


@dataclass(frozen=True)
class Metavar:
    """Name the values of an argument in the help; several words for a tuple of values."""

    words: str


@dataclass(frozen=True)
class Flag:
    """Say how an argument is typed, where that is more than its name with dashes.

    Attributes:
        name: of the flag, where it is another word: Python's own words cannot be names of arguments.
        earlier: names that it had: taken, not shown.
        off: names of no, where it is yes or no: taken; `--no-NAME` is shown, others are not.
        joined: several values are one word, with commas between: a list before positional arguments ends somewhere.

    Example:
        >>> from typing import get_args
        >>> get_args(Modules)[1:]  # what is typed `--import MODULE`
        (Metavar(words='MODULE'), Flag(name='--import', earlier=(), off=(), joined=False))
    """

    name: str = ""
    earlier: tuple[str, ...] = ()
    off: tuple[str, ...] = ()
    joined: bool = False


@dataclass(frozen=True)
class Within:
    """Give the range of an argument's numbers, ends included; None where it has no end."""

    least: float | None = None
    most: float | None = None


Count = Annotated[int, Metavar("N"), Within(1)]
"""At least 1."""
Whole = Annotated[int, Metavar("N"), Within(0)]
"""A count that may be none, a seed, a level."""
CropSide = Annotated[int, Metavar("PX"), Within(1, 4096)]
"""Side of the crops of a network."""
Channels = Annotated[int, Metavar("N"), Within(0, 4096)]
Width = Annotated[int, Metavar("N"), Within(1, 4096)]
Batch = Annotated[int, Metavar("N"), Within(1, 65536)]
Workers = Annotated[int, Metavar("N"), Within(0, 1024)]
Samples = Annotated[int, Metavar("N"), Within(1, 10**12)]
Views = Annotated[int, Metavar("N"), Within(1, 64)]
Seed = Annotated[int, Metavar("N"), Within(0, 2**63 - 1)]
Pixels = Annotated[int, Metavar("PX"), Within(1)]
Focal = Annotated[float, Metavar("PX"), Within(1, 1e7)]
Weight = Annotated[float, Metavar("WEIGHT"), Within(0)]
Seconds = Annotated[float, Metavar("SECONDS"), Within(0)]
Degrees = Annotated[float, Metavar("DEGREES")]
Share = Annotated[float, Metavar("SHARE"), Within(0, 1)]
"""In 0..1."""
# Of two types the command line makes the first: a path, but a name stays a word.
AnyPath = Annotated[Path | str, Metavar("PATH")]
File = Annotated[Path | str, Metavar("FILE")]
Folder = Annotated[Path | str, Metavar("DIR")]
FileOrFolder = Annotated[Path | str, Metavar("FILE|DIR")]
JSONFile = Annotated[Path | str, Metavar("FILE.json")]
NameOrPath = Annotated[str | Path, Metavar("NAME|PATH")]
Modules = Annotated[tuple[str, ...], Metavar("MODULE"), Flag("--import")]
Box = Annotated[tuple[float, float, float, float], Metavar("X0 Y0 X1 Y1")]
