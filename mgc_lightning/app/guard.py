"""Who may ask the page, what it may load, and what becomes of an upload that the disk does not take."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import os
from pathlib import Path
from typing import Any

from mgc_lightning.files.atomic import disk_trouble

logger = logging.getLogger(__name__)
# What the page may load: its own files. Gradio's own page asks for fonts and a script elsewhere; it does without.
POLICY = (
    "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; connect-src 'self' data: blob:; "
    "frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
)
NO_ROOM = 507
"""Status of an answer: insufficient storage."""


def middleware(host: str, folder: Path) -> list[Any]:
    """Give what stands before Gradio's page.

    Args:
        host: address that is listened on.
        folder: of the uploads; what is left of one that failed is removed.
    """
    from starlette.datastructures import MutableHeaders
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.responses import PlainTextResponse

    class Policy:
        """Send the page's policy along, and let nobody keep what was shown."""

        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            begun = False

            async def with_policy(message: Any) -> None:
                nonlocal begun
                if message["type"] == "http.response.start":
                    begun = True
                    headers = MutableHeaders(scope=message)
                    headers["Content-Security-Policy"] = POLICY
                    headers["Referrer-Policy"] = "no-referrer"
                    headers["X-Content-Type-Options"] = "nosniff"
                await send(message)

            try:
                await self.app(scope, receive, with_policy)
            except OSError as error:
                if begun or (why := upload_trouble(error, folder)) is None:
                    raise
                remove_parts(folder)
                logger.warning("An upload was not taken: %s could not be written (%s)", folder, why)
                await PlainTextResponse(f"The file was not taken: {why}", NO_ROOM)(scope, receive, with_policy)

    known = [Middleware(Policy)]
    if is_loopback(host):  # a page elsewhere whose name is made to lead here is refused
        known.append(Middleware(TrustedHostMiddleware, allowed_hosts=["localhost", "127.0.0.1", "[::1]", host]))
    return known


def upload_trouble(error: OSError, folder: Path) -> str | None:
    """Say why an upload could not be kept; None if the error is of another kind.

    Example:
        >>> upload_trouble(OSError(28, "No space left on device"), Path("uploads"))
        'No space left on device'
    """
    ours = isinstance(error.filename, str) and folder in Path(error.filename).parents
    if disk_trouble(error) is None and not ours:
        return None
    return error.strerror or str(error)


def remove_parts(folder: Path) -> None:
    """Remove what was received of uploads that did not come to their end: those of others at that time fail, too.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "tmp1abc").write_bytes(b"half")
        >>> remove_parts(folder)
        >>> list(folder.iterdir())
        []
    """
    for part in folder.glob("tmp*"):
        with contextlib.suppress(OSError):
            os.truncate(part, 0)  # it may still be open
            part.unlink()


def is_loopback(host: str) -> bool:
    """Tell whether an address is reached from this machine alone.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
        (True, True, False)
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
