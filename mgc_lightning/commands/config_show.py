"""`mgc config show`: what configs and values come to."""

from __future__ import annotations

from typing import Annotated

from mgc_lightning.arguments.types import Flag, Metavar


def show(
    words: Annotated[list[str], Metavar("NAME|FILE|KEY=VALUE")],
    *,
    everything: Annotated[bool, Flag("--all")] = False,
) -> int:
    """Show what configs, laid over one another, and values come to.

    Args:
        words: configs by name, file or folder of a run, and values such as `trainer.max_steps=100`; later ones count.
        everything: what the trainer has by default, too.
    """
    import yaml

    from mgc_lightning.training.resolve import resolve

    print(yaml.safe_dump(resolve(words, everything), sort_keys=False, width=120), end="")
    return 0
