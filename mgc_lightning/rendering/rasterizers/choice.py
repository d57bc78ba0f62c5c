"""Which rasterizer: by name, or the best that works on a device."""

from __future__ import annotations

import functools
import importlib.util
import logging
from typing import get_args

import torch

from mgc_lightning.errors import MGCError, check_choice
from mgc_lightning.rendering.rasterizers.base import Rasterizer, RasterizerName

BACKENDS: tuple[RasterizerName, ...] = tuple(name for name in get_args(RasterizerName) if name != "auto")
"""The rasterizers themselves: what `auto` chooses from."""

_log = logging.getLogger(__name__)


def get_rasterizer(name: RasterizerName = "auto", device: torch.device | str = "cpu") -> Rasterizer:
    """Give the backend of that name for tensors on `device`.

    Args:
        name: one of `BACKENDS`, or `auto`: numba on the CPU; triton on CUDA, or pytorch3d where triton does
            not import. The choice of `auto` is logged once.
        device: where the vertices are.

    Raises:
        MGCError: for unknown names, and for backends that do not work on that device or are not installed.

    Example:
        >>> kernel = get_rasterizer("auto", "cpu")
        >>> kernel.name
        'numba'
        >>> triangle = torch.tensor([[[0.0, 0.0, 5000.0], [4.0, 0.0, 5000.0], [0.0, 4.0, 5000.0]]])  # u, v px, z mm
        >>> pix_to_face, zbuf = kernel(triangle, torch.tensor([[0, 1, 2]]), (3, 3))
        >>> pix_to_face[0].tolist()
        [[0, 0, 0], [0, 0, 0], [0, 0, -1]]
    """
    device_type = torch.device(device).type
    if name == "auto":
        return _auto(device_type)
    check_choice("rasterizer", name, RasterizerName)
    return _make(name, device_type)


def available_rasterizers(device: torch.device | str = "cpu") -> dict[str, str | None]:
    """Tell for every backend why it does not work on `device`; None if it works.

    Example:
        >>> available_rasterizers("cpu")["numba"] is None
        True
        >>> available_rasterizers("cuda")["numba"]
        'The rasterizer `numba` works on the CPU, not on `cuda`; choose `triton`, `pytorch3d` or `auto` there'
    """
    reasons: dict[str, str | None] = {}
    for name in BACKENDS:
        try:
            get_rasterizer(name, device)
            reasons[name] = None
        except MGCError as error:
            reasons[name] = str(error)
    return reasons


@functools.cache
def _auto(device_type: str) -> Rasterizer:
    chosen: RasterizerName
    if device_type == "cpu":
        chosen = "numba"
    elif device_type == "cuda":
        chosen = "triton" if importlib.util.find_spec("triton") else "pytorch3d"
    else:
        raise MGCError(f"No rasterizer works on `{device_type}`; use a CPU or CUDA device")
    rasterizer = _make(chosen, device_type)
    _log.info("Rasterizer on %s: %s (auto)", device_type, chosen)
    return rasterizer


@functools.cache
def _make(name: RasterizerName, device_type: str) -> Rasterizer:
    # Imported here: each backend's module imports its library.
    if name == "numba":
        from mgc_lightning.rendering.rasterizers.numba_cpu import NumbaRasterizer

        if device_type != "cpu":
            raise MGCError(
                f"The rasterizer `numba` works on the CPU, not on `{device_type}`; "
                "choose `triton`, `pytorch3d` or `auto` there"
            )
        return NumbaRasterizer()
    if name == "triton":
        from mgc_lightning.rendering.rasterizers.triton_cuda import TritonRasterizer

        return TritonRasterizer(device_type)
    from mgc_lightning.rendering.rasterizers.pytorch3d_backend import PyTorch3DRasterizer

    return PyTorch3DRasterizer()
