"""The cumulative error curve as a picture and as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.metrics.now.aggregate import CURVE_LIMIT_MM, cumulative_curve, thinned_curve


def write_curve_csv(path: str | Path, pooled: Float[NDArray, " N"]) -> None:
    """Write distance (mm) and percent of the pool within it, every hundredth of a millimetre up to 8.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "curve.csv"
        >>> write_curve_csv(path, np.array([0.5, 1.5]))
        >>> lines = path.read_text().splitlines()
        >>> lines[0], lines[101]  # half of the points within 1 mm
        ('distance_mm,percent', '1.00,50.000000')
    """
    grid, percent = thinned_curve(pooled)
    lines = ["distance_mm,percent", *(f"{d:.2f},{p:.6f}" for d, p in zip(grid, percent, strict=True))]
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="ascii")


def draw_curves(path: str | Path, curves: Mapping[str, Float[NDArray, " _"]]) -> None:
    """Draw the cumulative curves of pools of distances (mm), as the NoW site does: 0 to 7 mm, percent.

    Args:
        path: picture to write.
        curves: pooled distances by name.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.8), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for name, pooled in curves.items():
        edges, percent = cumulative_curve(pooled)
        # A hundred thousand points make a slow picture and no better one.
        step = max(1, len(edges) // 4000)
        axes.plot(
            np.append(edges[::step], edges[-1]),
            np.append(percent[::step], percent[-1]),
            label=f"{name}: median {np.median(pooled):.2f}",
        )
    axes.set(xlim=(0, CURVE_LIMIT_MM), ylim=(0, 100), xlabel="Error [mm]", ylabel="Percentage")
    axes.set_xticks(range(int(CURVE_LIMIT_MM)))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    with atomic_path(path) as temporary:
        # No date: the same scores give the same file.
        metadata = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}.get(Path(path).suffix)
        with matplotlib.rc_context({"svg.hashsalt": "curves"}):
            figure.savefig(temporary, metadata=metadata)
