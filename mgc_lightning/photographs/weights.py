"""Weights of detectors: given files, the cache, or a download checked by its hash."""

from __future__ import annotations

import contextlib
import socket
import urllib.error
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from mgc_lightning.errors import MGCError

SECONDS = 20.0
"""How long a server may say nothing."""


def find_weights(url: str, given: Sequence[str | Path] = ()) -> Path:
    """Find a file of weights; download it to torch's cache if need be.

    File names end in the first digits of their sha256, as torch.hub has it: a download is checked against them.

    Args:
        url: where it is published.
        given: files, or folders that hold the file under its published name.

    Raises:
        MGCError: if there is no such file and it cannot be downloaded, or the download is damaged.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "s3fd-619a316812.pth").touch()
        >>> find_weights("https://www.adrianbulat.com/downloads/python-fan/s3fd-619a316812.pth", [folder]).name
        's3fd-619a316812.pth'
    """
    name = url.rsplit("/", 1)[-1]
    stem = name.rsplit("-", 1)[0]
    for place in map(Path, given):
        candidates = [place / name] if place.is_dir() else [place] * (place.name.startswith(stem))
        found = next((candidate for candidate in candidates if candidate.is_file()), None)
        if found is not None:
            return found
    cached = Path(torch.hub.get_dir()) / "checkpoints" / name
    if cached.is_file():
        return cached
    digits = name.rsplit("-", 1)[-1].split(".")[0]
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        with _patience(SECONDS):
            torch.hub.download_url_to_file(url, str(cached), hash_prefix=digits, progress=True)
    except (urllib.error.URLError, OSError, TimeoutError) as error:
        raise MGCError(
            f"The weights {name} are not here and could not be downloaded ({error}). Download {url} elsewhere and put "
            f"it at {cached}, or name it in `weights`; or give `landmarks` yourself"
        ) from error
    except RuntimeError as error:
        raise MGCError(f"{url}: the download is damaged ({error}); try again") from error
    return cached


@contextlib.contextmanager
def _patience(seconds: float) -> Iterator[None]:
    """Limit how long connections wait: torch.hub's wait for ever, where a firewall swallows what is sent."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def load_weights(path: Path, device: torch.device | str = "cpu") -> dict[str, torch.Tensor]:
    """Load a state dict, and nothing but tensors.

    Raises:
        MGCError: if the file is damaged or something else.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "s3fd-619a316812.pth"
        >>> torch.save({"conv1.weight": torch.ones(2)}, path)
        >>> load_weights(path)
        {'conv1.weight': tensor([1., 1.])}
    """
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch raises many kinds for damaged files
        raise MGCError(f"{path}: not a file of weights ({type(error).__name__}: {error}); delete it") from error
    if not isinstance(state, dict):
        raise MGCError(f"{path}: expected a state dict, got {type(state).__name__}")
    return state
