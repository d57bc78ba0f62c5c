"""Where runs of Weights & Biases go: is there a key, and does the server answer? One answer for `fit` and `doctor`."""

from __future__ import annotations

import netrc
import os
import socket
import urllib.request
from urllib.parse import urlsplit

CLOUD = "https://api.wandb.ai"
SECONDS = 5.0
"""After which a server counts as out of reach."""


def server_address() -> str:
    """Give the address of the server, the cloud's or one's own (`WANDB_BASE_URL`)."""
    return os.environ.get("WANDB_BASE_URL") or CLOUD


def has_key() -> bool:
    """Tell whether a key is configured for the server: `WANDB_API_KEY`, or its line in the netrc file (`NETRC`)."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        return (
            netrc.netrc(os.environ.get("NETRC")).authenticators(urlsplit(server_address()).hostname or "") is not None
        )
    except (OSError, netrc.NetrcParseError):
        return False


def unreachable(seconds: float = SECONDS) -> str | None:
    """Say why the server, or the proxy before it, takes no connection; None if it does.

    Example:
        >>> import os
        >>> os.environ["WANDB_BASE_URL"] = "http://127.0.0.1:9"  # nobody listens there
        >>> unreachable() is None
        False
        >>> del os.environ["WANDB_BASE_URL"]
    """
    address = urlsplit(server_address())
    proxies = urllib.request.getproxies()
    if address.scheme in proxies and not urllib.request.proxy_bypass(address.hostname or ""):
        proxy = proxies[address.scheme]
        address = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    try:
        port = address.port or (443 if address.scheme == "https" else 80)
        socket.create_connection((address.hostname or "", port), seconds).close()
    except (OSError, ValueError) as error:
        return str(error)
    return None
