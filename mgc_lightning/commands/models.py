"""`mgc models`: the trained networks that come with the package."""

from __future__ import annotations


def models() -> int:
    """List the trained networks that come with the package: size, input, face model, licences, scores.

    The status is 1 if there is none.
    """
    from mgc_lightning.networks.shipped import FOLDER, shipped_networks

    found = shipped_networks()
    print("\n\n".join(map(str, found)) or f"No network in {FOLDER}: wheels have one, this checkout does not")
    return int(not found)
