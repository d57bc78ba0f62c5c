"""`mgc config diff`: in what two experiments differ."""

from __future__ import annotations

import json
from typing import Annotated

from mgc_lightning.arguments.types import Flag, Metavar


def diff(
    first: Annotated[str, Metavar("A")],
    second: Annotated[str, Metavar("B")],
    *,
    as_json: Annotated[bool, Flag("--json")] = False,
) -> int:
    """Show in which keys two configs differ, as they are resolved.

    Args:
        first: a config by name, file or folder of a run; several and values joined by commas, as
            `quickstart,trainers/bf16,trainer.max_steps=100`.
        second: what it is compared with, likewise.
        as_json: print JSON instead.
    """
    from mgc_lightning.training.resolve import differences, resolve

    found = differences(resolve(first.split(",")), resolve(second.split(",")))
    if as_json:
        print(json.dumps({key: values for key, *values in found}, indent=1))
        return 0
    for key, ours, theirs in found:
        print(f"{key}: {json.dumps(ours)} -> {json.dumps(theirs)}")
    if not found:
        print("They are resolved alike.")
    return 0
