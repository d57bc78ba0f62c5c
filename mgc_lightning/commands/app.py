"""`mgc app`: the local page."""

from __future__ import annotations

from typing import Annotated

from mgc_lightning.arguments.types import AnyPath, Metavar, Within
from mgc_lightning.networks.settings import NetworkSource


def app(
    *,
    compare: AnyPath | None = None,
    host: str = "127.0.0.1",
    port: Annotated[int, Metavar("PORT"), Within(0, 65535)] = 7860,
    network: NetworkSource,
) -> int:
    """Serve a local page: drop photographs, see their faces, turn, move and light them, download them.

    Photographs stay on this machine and are removed when they are read. Needs the extra `app`.

    Args:
        compare: a second checkpoint or export, whose faces are shown beside.
        host: address to listen on; whoever reaches another than the default can use the page.
        port: its port; 0 for any that is free.
        network: a trained network.
    """
    from mgc_lightning.app.page import run_app

    run_app(network, compare, host, port)
    return 0
