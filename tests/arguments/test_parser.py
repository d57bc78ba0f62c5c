"""From a function to its command line: nothing is said twice, nothing is lost on the way."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import pytest

from mgc_lightning.arguments.parser import CommandParser
from mgc_lightning.arguments.types import Box, Count, Flag, Folder, Metavar
from mgc_lightning.errors import MGCError

Fruit = Literal["apple", "pear"]


@dataclass(frozen=True)
class Deep:
    """Hold something deep.

    Attributes:
        depth: of the sea in metres.
    """

    depth: float = 10.5


@dataclass(frozen=True, kw_only=True)
class Water:
    """What is wet.

    Attributes:
        salt: taste of it, 100 %.
    """

    salt: bool = False


@dataclass(frozen=True, kw_only=True)
class Trip(Water):
    """Describe a trip.

    Attributes:
        fruits: to eat.
        guests: who comes too.
        tent: sleep under the stars.
        days: how long.
        sea: the sea.
    """

    fruits: tuple[Fruit, ...] = ("apple",)
    guests: Annotated[tuple[str, ...], Metavar("WHO"), Flag("--with", earlier=("--along",))] = ()
    tent: Annotated[bool, Flag(off=("--hotel",))] = True
    days: Count = 0
    sea: Deep = field(default_factory=lambda: Deep(3.0))

    def __post_init__(self) -> None:
        if self.days > 9:
            raise MGCError("`days` is too long, `days=9` is the most; without `salt=True` and `other=True`")


CALLS: list[dict] = []


def travel(
    places: Annotated[Sequence[Path], Metavar("PLACE")],
    *,
    home: Folder,
    box: Box | None = None,
    boat: bool = True,
    first: Fruit | None = None,
    trip: Trip,
) -> int:
    """Travel to places.

    More is said here.

    Args:
        places: where to, and
            then where to.
        home: where from ...
        box: that is packed.
        boat: by sea.
        first: to eat first.
        trip: the trip.
    """
    CALLS.append({"places": places, "home": home, "box": box, "boat": boat, "first": first, "trip": trip})
    if not boat:
        raise MGCError("`places` cannot be reached with `boat=False`")
    return 3 if trip.salt else 0


@pytest.fixture
def parser() -> CommandParser:
    CALLS.clear()
    return CommandParser(travel, "mgc travel")


def test_values_arrive_as_the_function_declares_them(parser) -> None:
    line = "a 1 --home 2024 --box 1 -2 3.5 4 --first pear --fruits pear apple --salt --days 3 --depth 2"
    assert parser.run(line.split()) == 3
    trip = Trip(salt=True, fruits=("pear", "apple"), days=3, sea=Deep(2.0))
    (call,) = CALLS
    assert call == {
        "places": [Path("a"), Path("1")],
        "home": Path("2024"),
        "box": (1.0, -2.0, 3.5, 4.0),
        "boat": True,
        "first": "pear",
        "trip": trip,
    }


def test_flags_of_other_names(parser) -> None:
    line = "a --home b --with anna berta --along carl --with dora --hotel"
    assert parser.run(line.split()) == 0
    assert CALLS[0]["trip"].guests == ("anna", "berta", "carl", "dora")
    assert not CALLS[0]["trip"].tent
    assert "--along" not in parser.format_help()
    assert parser.in_flags("`guests=['my_nets', \"b\"]` and `tent=False`") == "--with my_nets b and --no-tent"


def test_defaults_are_the_functions(parser) -> None:
    assert parser.run(["a", "--home", "b"]) == 0
    assert CALLS[0]["trip"] == Trip()
    assert CALLS[0]["box"] is None


@pytest.mark.parametrize(
    "name", ["null", "~", "true", "[1] a.jpg", "{a}.jpg", "a: b.jpg", "#1.jpg", "1e3", "- x", "@x", "*.jpg", "Zoë 1"]
)
def test_odd_names_stay_as_they_are(parser, name) -> None:
    assert parser.run([name, "--home", name]) == 0
    assert (CALLS[0]["places"], CALLS[0]["home"]) == ([Path(name)], Path(name))


def test_help_says_what_the_docstrings_say(parser) -> None:
    text = " ".join(parser.format_help().split())
    for part in (
        "Travel to places.",
        "PLACE where to, and then where to",
        "--home DIR where from ...",
        "--box X0 Y0 X1 Y1 that is packed",
        "--boat, --no-boat by sea (default: yes)",
        "--first {apple,pear} to eat first",
        "--fruits {apple,pear} [{apple,pear} ...] to eat (default: apple)",
        "--days N how long (default: 0)",
        "the sea: --depth DEPTH of the sea in metres (default: 3.0)",
        "what is wet: --salt taste of it, 100 %",
        "More is said here.",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a", "Missing: --home"),
        ("--home b", "Missing: PLACE"),
        ("a --home b --days 1.5", "--days must be a whole number; got '1.5'"),
        ("a --home b --depth deep", "--depth must be a number; got 'deep'"),
        ("a --home b --first cherry", "--first must be one of apple, pear; got 'cherry'"),
        ("a --home b --fruits apple pera", "--fruits must be one of apple, pear; got 'pera'. Did you mean 'pear'?"),
        ("a --home b --box 1 2 3", "argument --box: expected 4 arguments"),
        ("a --home b --dayz 3", "Did you mean `--days` instead of `--dayz`?"),
        ("a --home b --day 3", "Did you mean `--days` instead of `--day`?"),
        ("a --home b --days 10", "--days is too long, --days 9 is the most; without --salt and `other=True`"),
        ("a --home b --no-boat", "PLACE cannot be reached with --no-boat"),
    ],
)
def test_wrong_lines_are_told_in_flags(parser, line, message) -> None:
    with pytest.raises(MGCError) as error:
        parser.run(line.split())
    assert message in str(error.value)
