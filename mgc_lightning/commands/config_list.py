"""`mgc config list`: the configs that come with the package."""

from __future__ import annotations


def list_configs() -> int:
    """List the configs and presets that come with the package; `--config NAME` takes each."""
    from mgc_lightning.training.resolve import shipped_configs

    found = shipped_configs()
    width = max(map(len, found))
    print("\n".join(f"{name:<{width}}  {text}" for name, text in found.items()))
    return 0
