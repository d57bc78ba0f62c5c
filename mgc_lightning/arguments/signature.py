"""The arguments of a function, as its signature, its docstring and the dataclasses among its parameters give them."""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import docstring_parser

from mgc_lightning.arguments.types import Flag, Metavar

_SEVERAL = (tuple, list, Sequence)
PLAIN = Flag()
"""The flag of an argument that says nothing of it."""


@dataclasses.dataclass(frozen=True)
class Option:
    """Describe one argument.

    Attributes:
        name: of the parameter or field.
        hint: its type, without `Annotated` and `None`.
        default: its default; `MISSING` if it must be given.
        text: what the docstring says of it.
        section: title of its part of the help; empty for the first.
        metavar: what its values are called; empty where the type says it.
        flag: how it is typed; empty if it is positional.
        more: other ways to type it.
    """

    name: str
    hint: Any
    default: Any
    text: str
    section: str = ""
    metavar: str = ""
    flag: str = ""
    more: Flag = PLAIN

    @property
    def shown(self) -> str:
        """How a user types it."""
        return self.flag or self.metavar or self.name.upper()

    @property
    def no(self) -> str:
        """How a user types no."""
        return f"--no-{self.flag.removeprefix('--')}"

    @property
    def element(self) -> Any:
        """The type of one of its values."""
        return _plain(typing.get_args(self.hint)[0])[0] if typing.get_origin(self.hint) in _SEVERAL else self.hint

    @property
    def number(self) -> int | str | None:
        """How many values it takes, in argparse's words."""
        if typing.get_origin(self.hint) not in _SEVERAL or self.more.joined:
            return None
        inner = typing.get_args(self.hint)
        return len(inner) if typing.get_origin(self.hint) is tuple and Ellipsis not in inner else "+"

    @property
    def choices(self) -> tuple[Any, ...]:
        """What a value can be; empty if there is no list."""
        return typing.get_args(self.element) if typing.get_origin(self.element) is typing.Literal else ()

    @property
    def help(self) -> str:
        """The text, the choices where the metavar hides them, and the default."""
        text = self.text if self.text.endswith("..") else self.text.removesuffix(".")
        if self.metavar and self.choices:
            text += f": {', '.join(map(str, self.choices))}"
        several = isinstance(self.default, tuple | list)
        default = ("," if self.more.joined else " ").join(map(str, self.default)) if several else self.default
        if default is True:
            default = "yes"
        silent = default is None or default is False or default is dataclasses.MISSING or default == ""
        return text if silent else f"{text} (default: {default})"

    @property
    def expected(self) -> str:
        """What its values are, in words."""
        if self.choices:
            return f"one of {', '.join(map(str, self.choices))}"
        return {int: "a whole number", float: "a number"}.get(self.element, "another value")

    def given(self, value: str | None) -> str:
        """Say how a user types it with a value that is written in Python, such as `["a", "b"]`."""
        if self.hint is bool and value == "False":
            return self.no
        if value is None or not self.flag or self.hint is bool:
            return self.shown
        words = value.strip("[]()").replace(",", " ").split() if self.number else [value]
        if self.more.joined:
            words = [",".join(word.strip("'\"") for word in value.strip("[]()").replace(",", " ").split())]
        return " ".join([self.shown, *(word.strip("'\"") for word in words)])

    def declared(self, value: Any) -> Any:
        """Give what was parsed as the type that the function declares."""
        return tuple(value) if typing.get_origin(self.hint) is tuple and value is not None else value


@dataclasses.dataclass(frozen=True)
class Arguments:
    """List the arguments of a function or a dataclass: its own, and those of the dataclasses among its parameters."""

    target: Callable[..., Any]
    options: list[Option]
    inner: dict[str, Arguments]

    def flat(self) -> Iterator[Option]:
        """Give all of them, whatever the depth."""
        yield from self.options
        for arguments in self.inner.values():
            yield from arguments.flat()

    def call(self, values: Mapping[str, Any]) -> Any:
        """Call the target with values by name, whatever the depth."""
        own = {option.name: option.declared(values[option.name]) for option in self.options}
        return self.target(**own, **{name: arguments.call(values) for name, arguments in self.inner.items()})


def read_arguments(target: Callable[..., Any], section: str = "", preset: Any = None) -> Arguments:
    """Read the arguments of a function or a dataclass.

    Args:
        target: the function or the class.
        section: title of its part of the help; fields that a dataclass inherits come under the first line of its base.
        preset: an object of the class, whose values are the defaults.

    Example:
        >>> def score(folder: str, *, jobs: int = 1) -> int:
        ...     '''Score.
        ...
        ...     Args:
        ...         folder: of the meshes.
        ...         jobs: processes.
        ...     '''
        ...     return 0
        >>> [(option.shown, option.help) for option in read_arguments(score).flat()]
        [('FOLDER', 'of the meshes'), ('--jobs', 'processes (default: 1)')]
    """
    hints = typing.get_type_hints(target, include_extras=True)
    texts = _texts(target)
    is_class = dataclasses.is_dataclass(target)
    arguments = Arguments(target, [], {})
    for name, parameter in inspect.signature(target).parameters.items():
        hint, extras = _plain(hints[name])
        default = _default(target, parameter) if preset is None else getattr(preset, name)
        text = texts.get(name, "")
        if dataclasses.is_dataclass(hint):
            inner = None if default is dataclasses.MISSING else default
            arguments.inner[name] = read_arguments(typing.cast(Any, hint), text.rstrip("."), inner)
            continue
        title = (_inherited(target, name) or section) if is_class else section
        metavar = next((extra.words for extra in extras if isinstance(extra, Metavar)), "")
        more = next((extra for extra in extras if isinstance(extra, Flag)), PLAIN)
        flag = more.name or "--" + name.replace("_", "-")
        if not is_class and parameter.kind is not parameter.KEYWORD_ONLY:
            flag = ""
        arguments.options.append(Option(name, hint, default, text, title, metavar, flag, more))
    return arguments


def _plain(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """Take `None` and `Annotated` off a type, and give what was annotated, the outermost first.

    Of a path that may be a `str` too, the first of the two is what the command line makes.
    """
    if typing.get_origin(hint) is typing.Annotated:
        inner, extras = _plain(hint.__origin__)
        return inner, (*hint.__metadata__, *extras)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        some = [inner for inner in typing.get_args(hint) if inner is not type(None)]
        return _plain(some[0]) if len(some) == 1 or set(some) == {Path, str} else (hint, ())
    if typing.get_origin(hint) in _SEVERAL:
        return hint, _plain(typing.get_args(hint)[0])[1]
    return hint, ()


def _default(target: Any, parameter: inspect.Parameter) -> Any:
    if parameter.default is parameter.empty:
        return dataclasses.MISSING
    field = getattr(target, "__dataclass_fields__", {}).get(parameter.name)
    if field is not None and field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return parameter.default


def _texts(target: Any) -> dict[str, str]:
    """Read what the docstrings of a function, or of a dataclass and its bases, say of each argument."""
    texts: dict[str, str] = {}
    for source in reversed(inspect.getmro(target)) if inspect.isclass(target) else (target,):
        for found in docstring_parser.parse(inspect.getdoc(source) or "").params:
            texts[found.arg_name] = " ".join((found.description or "").split())
    return texts


def _inherited(target: Any, name: str) -> str:
    """Give the first line of the base that a dataclass has a field from; empty for its own fields."""
    owner = next(kind for kind in inspect.getmro(target) if name in inspect.get_annotations(kind))
    if owner is target:
        return ""
    title = docstring_parser.parse(inspect.getdoc(owner) or "").short_description or owner.__name__
    return title[0].lower() + title[1:].rstrip(".")
