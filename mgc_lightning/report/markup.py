"""HTML by construction: what is not markup already is escaped, whoever wrote it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from mgc_lightning.pictures.viewer import viewer_script_hash

_STYLE = Path(__file__).with_name("data") / "report.css"
_EMPTY = {"img", "meta", "line", "path", "rect", "circle"}
_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
"""Control characters, halves of surrogates, and marks that turn the direction of writing."""


class Html(str):
    """Text that is markup."""


def escape(value: object) -> Html:
    """Give a value as markup; markup stays.

    Example:
        >>> escape("<b>"), escape(Html("<b>"))
        ('&lt;b&gt;', '<b>')
    """
    if isinstance(value, Html):
        return value
    return Html(html.escape(_UNSEEN.sub("\ufffd", str(value)), quote=True))


def tag(name: str, /, *children: object, **attributes: object) -> Html:
    """Give an element; text and values of attributes are escaped.

    Args:
        name: of the element.
        children: markup and text.
        attributes: `class_` is `class`, `_` in a name is `-`; what is None is left out.

    Example:
        >>> tag("p", "a < b", tag("b", "!"), class_="note")
        '<p class="note">a &lt; b<b>!</b></p>'
    """
    words = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(_UNSEEN.sub("", str(value)), quote=True)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _EMPTY and not children:
        return Html(f"<{name}{words}>" if name in ("img", "meta") else f"<{name}{words}/>")
    return Html(f"<{name}{words}>{join(children)}</{name}>")


def join(children: Iterable[object]) -> Html:
    """Put markup and text in a row."""
    return Html("".join(map(escape, children)))


def table(head: Sequence[object], rows: Sequence[Sequence[object]], numbers_from: int = 1) -> Html:
    """Give a table that scrolls by itself where the page is narrow.

    Args:
        head: titles of the columns.
        rows: cells.
        numbers_from: column from which cells are set to the right.

    Example:
        >>> table(["", "mm"], [["mean face", "3.10"]])[:44]
        '<div class="wide" tabindex="0"><table><thead'
    """

    def cells(name: str, row: Sequence[object]) -> Html:
        return join(
            tag(name, cell, class_="number" if column >= numbers_from else None) for column, cell in enumerate(row)
        )

    body = join(tag("tr", cells("td", row)) for row in rows)
    top = tag("thead", tag("tr", cells("th", head)))
    return tag("div", tag("table", top, tag("tbody", body)), class_="wide", tabindex="0")


def folded(title: object, *children: object, opened: bool = False) -> Html:
    """Give what is shown when its title is chosen."""
    return Html(f"<details{' open' if opened else ''}>{tag('summary', title)}{join(children)}</details>")


def page(title: str, *children: object) -> Html:
    """Give the whole page: light and dark, narrow and wide; it may load nothing, and run nothing but the viewer.

    Example:
        >>> page("<mine>", tag("h1", "mine")).startswith("<!doctype html>")
        True
    """
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-src 'self'; "
        f"script-src '{viewer_script_hash()}'; base-uri 'none'; form-action 'none'"
    )
    head = join(
        [
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name="color-scheme", content="light dark"),
            tag("meta", http_equiv="Content-Security-Policy", content=policy),
            tag("title", title),
            tag("style", Html(_STYLE.read_text(encoding="utf-8"))),
        ]
    )
    body = tag("main", *children)
    return Html(f'<!doctype html>\n<html lang="en">{tag("head", head)}{tag("body", body)}</html>\n')
