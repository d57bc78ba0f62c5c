"""One finding, and how findings are told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """How a check ended."""

    GOOD = "good"
    ABSENT = "absent"
    BROKEN = "broken"


@dataclass(frozen=True)
class Check:
    """Tell one finding.

    Attributes:
        name: what was looked at.
        state: good; absent (optional, not there); broken (required, or there and unusable).
        detail: what was found.
        remedy: what to do; empty if there is nothing to do.
    """

    name: str
    state: State
    detail: str
    remedy: str = ""


def is_healthy(sections: dict[str, list[Check]]) -> bool:
    """Tell whether everything that is required works.

    Example:
        >>> absent = Check("timm", State.ABSENT, "not installed", "pip install 'mgc-lightning[timm]'")
        >>> is_healthy({"Extras": [absent]}), is_healthy({"Packages": [Check("torch", State.BROKEN, "1.9")]})
        (True, False)
    """
    return all(check.state is not State.BROKEN for checks in sections.values() for check in checks)


def report_lines(sections: dict[str, list[Check]], unicode: bool = True) -> list[str]:
    """Write the checks as lines: a mark, the name, what was found, the remedy on a line of its own.

    Example:
        >>> timm = Check("timm", State.ABSENT, "not installed", "pip install timm")
        >>> checks = [Check("torch", State.GOOD, "2.9.0"), timm]
        >>> print(*report_lines({"Packages": checks}, unicode=False), sep=chr(10))
        Packages
          ok torch  2.9.0
           - timm   not installed
                   -> pip install timm
        Everything required works.
    """
    marks = {State.GOOD: "✓", State.ABSENT: "-", State.BROKEN: "✗"}
    plain = {State.GOOD: "ok", State.ABSENT: " -", State.BROKEN: "XX"}
    lines = []
    for title, checks in sections.items():
        lines.append(title)
        width = max((len(check.name) for check in checks), default=0)
        for check in checks:
            mark = (marks if unicode else plain)[check.state]
            lines.append(f"  {mark} {check.name:<{width}}  {check.detail}")
            if check.remedy:
                lines.append(f"    {'':<{width}}  {'→' if unicode else '->'} {check.remedy}")
    broken = sum(check.state is State.BROKEN for checks in sections.values() for check in checks)
    lines.append("Everything required works." if not broken else f"{broken} required things are broken.")
    return lines
