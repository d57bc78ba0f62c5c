"""`mgc validate CONFIG`: whether a long training will run."""

from __future__ import annotations

import json
import sys
from typing import Annotated

from mgc_lightning.arguments.types import Flag, Metavar


def check(
    words: Annotated[list[str], Metavar("NAME|FILE|KEY=VALUE")],
    *,
    as_json: Annotated[bool, Flag("--json")] = False,
) -> int:
    """Try what a training needs before it starts: files, a step, memory, disk, logger, time.

    Nothing is trained and no run is written. The status is 1 if something fails.

    Args:
        words: configs by name or file, and values such as `data.batch_size=16`; later ones count.
        as_json: print JSON instead.
    """
    from mgc_lightning.doctor.check import Check, State, report_lines
    from mgc_lightning.training.preflight import preflight

    findings = preflight(words)
    failed = any(finding.good is False for finding in findings)
    if as_json:
        print(json.dumps({each.name: {"good": each.good, "detail": each.detail} for each in findings}, indent=1))
        return int(failed)
    states = {True: State.GOOD, False: State.BROKEN, None: State.ABSENT}
    checks = [Check(each.name, states[each.good], each.detail) for each in findings]
    encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
    lines = report_lines({" ".join(words): checks}, unicode=encoding.startswith("utf"))
    print("\n".join([*lines[:-1], "It will not run." if failed else "Ready: lightning fit with the same configs."]))
    return int(failed)
