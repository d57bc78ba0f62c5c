"""Time closest points on a mesh: the library's tree beside libraries that are installed (libigl, point-cloud-utils).

    pip install libigl point-cloud-utils
    OMP_NUM_THREADS=1 python benchmarks/closest_points.py

The queries are those of NoW: a scan of the face, and the same scan moved by half a millimetre, as one step of a
refinement moves it. Errors are against libigl, which computes in float64.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table

from mgc_lightning.face_models import load_face_model
from mgc_lightning.geometry.closest_points import ClosestPoints
from mgc_lightning.synthetic.scanner import scan_head


def best(function: Callable[[], object], repeats: int) -> float:
    """Give the least CPU milliseconds of several runs after one that is not counted."""
    function()
    times = []
    for _ in range(repeats):
        began = time.process_time()
        function()
        times.append(time.process_time() - began)
    return min(times) * 1e3


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--level", type=int, default=1, help="level of detail of the mesh")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    model = load_face_model(level=args.level)
    verts, faces = model.mean.double().numpy(), model.faces.numpy()
    scan = scan_head(verts, faces, np.random.default_rng(0)).verts
    points = scan[np.linalg.norm(scan - model.landmarks7(model.mean)[4].numpy(), axis=1) < 95]
    moved = points + np.array([0.3, 0.3, 0.26])
    tree = ClosestPoints(verts, faces)
    answer = tree.query(points)
    table = Table(title=f"{len(points):,} points, {len(faces):,} faces, CPU ms on one core")
    for column in ("", "build", "query", "query again, moved .5 mm", "largest error, mm"):
        table.add_column(column, justify="left" if not column else "right")
    rows = {
        "ClosestPoints": (
            lambda: ClosestPoints(verts, faces),
            lambda: tree.query(points),
            lambda: tree.query(moved, answer.face_index),
        )
    }
    exact = None
    if importlib.util.find_spec("igl"):
        import igl

        other = igl.AABB()
        other.init(verts, faces)
        exact = np.sqrt(igl.point_mesh_squared_distance(points, verts, faces)[0])
        rows["libigl AABB"] = (
            lambda: igl.AABB().init(verts, faces),
            lambda: other.squared_distance(verts, faces, points),
            lambda: other.squared_distance(verts, faces, moved),
        )
    if importlib.util.find_spec("point_cloud_utils"):
        import point_cloud_utils

        query = point_cloud_utils.closest_points_on_mesh
        rows["point-cloud-utils, build included"] = (
            lambda: None,
            lambda: query(points, verts, faces),
            lambda: query(moved, verts, faces),
        )
    for name, functions in rows.items():
        times = [f"{best(function, args.repeats):.1f}" for function in functions]
        error = "-" if exact is None or name != "ClosestPoints" else f"{np.abs(answer.distances - exact).max():.0e}"
        table.add_row(name, *times, error)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
