"""Which of several processes has ended, where the others find that they cannot go on."""

from __future__ import annotations

import os
import platform
import re
import time
from pathlib import Path

import lightning as L
import torch.distributed as dist

_COMMUNICATION = re.compile(r"gloo|NCCL|TCPStore|Connection (closed|reset|refused)|Broken pipe|remote process")
PATIENCE = 2.0
"""Seconds that a process may take to end after its connections have."""


class KnowRanks(L.Callback):
    """Note machine and process of every rank, so that one that is lost can be named.

    Libraries of communication tell of a lost process by an address and a port.

    Example:
        >>> ranks = KnowRanks()
        >>> ranks.processes = [(platform.node(), os.getpid()), (platform.node(), 2**22 + 1)]  # no such process
        >>> ranks.lost(own=0)
        [1]
    """

    def __init__(self) -> None:
        self.processes: list[tuple[str, int]] = []

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Gather them."""
        if trainer.world_size > 1 and dist.is_available() and dist.is_initialized():
            found: list[tuple[str, int]] = [("", 0)] * trainer.world_size
            dist.all_gather_object(found, (platform.node(), os.getpid()))
            self.processes = found

    def lost(self, own: int) -> list[int]:
        """Give the ranks on this machine that have ended, but `own`."""
        here = platform.node()
        return [
            rank
            for rank, (machine, process) in enumerate(self.processes)
            if rank != own and machine == here and not _runs(process)
        ]

    def explain(self, own: int, error: RuntimeError) -> str | None:
        """Say in a sentence which rank was lost, if an error tells that another could not be reached."""
        if not self.processes or not of_communication(error):
            return None
        end = time.monotonic() + PATIENCE
        while not (lost := self.lost(own)) and time.monotonic() < end:
            time.sleep(0.05)
        away = sorted({machine for machine, _ in self.processes} - {platform.node()})
        if not lost and not away:
            return None
        who = f"{'rank' if len(lost) == 1 else 'ranks'} {', '.join(map(str, lost))}" if lost else "a rank"
        where = "" if lost else f" on another machine ({', '.join(away)})"
        return (
            f"Rank {own} cannot go on: {who} of {len(self.processes)}{where} has ended. Its own messages say why; if "
            "it has none it was killed, by the system where memory ran out. Go on from the last checkpoint: "
            "`ckpt_path=last`"
        )


def lost_rank(trainer: L.Trainer, error: RuntimeError) -> str | None:
    """Say which rank was lost where an error is of that; None for any other error."""
    callbacks = getattr(trainer, "callbacks", [])
    ranks = next((each for each in callbacks if isinstance(each, KnowRanks)), KnowRanks())
    return ranks.explain(trainer.global_rank, error)


def of_communication(error: RuntimeError) -> bool:
    """Tell whether an error is of processes that cannot reach each other: torch has no class for all of these.

    Example:
        >>> of_communication(RuntimeError("[gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:3"))
        True
        >>> of_communication(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
        False
    """
    return isinstance(error, dist.DistError) or _COMMUNICATION.search(str(error)) is not None


def _runs(process: int) -> bool:
    status = Path(f"/proc/{process}/stat")
    if status.parent.parent.joinpath("self").exists():
        try:
            # One that its parent has not taken notice of is still listed.
            return status.read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
        except OSError:
            return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # of another user
        return True
    return True
