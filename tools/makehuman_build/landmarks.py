"""The head's 68 anchors, by vertices of MakeHuman's base mesh, which no re-meshing can move, and its landmarks.

The anchors were found geometrically on the neutral mesh. They set the frame, the evaluated face and the masks, and so
stay as they are: every stored network depends on that geometry. The landmarks are iBUG's points, which
tools/place_landmarks.py places.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models.model_data import FaceModelData
from mgc_lightning.files.places import PACKAGE
from tools.makehuman_build.topology import Topology

PLACEMENTS = PACKAGE / "face_models" / "data" / "makehuman_landmarks.json"
"""The landmarks, a line each: three vertices of the subdivided head and their weights."""

# Each anchor is one vertex, the middle of an edge (two) or of a quad (four); iBUG order.
PORTABLE_68 = """
268+267+5237+5236 269+5092 5238 5241+5242 737+5240 915+3698 5295+917+916+5294 5293+914+918+5292 732+5296
11899+11898+7620+7616 11901+11900+7618+7619 7617+10366 7457+11849 11850+11851 11847 7038+11707
7037+11845+11846+7036
225+232 222+224 222+223 205+208+233+223 233+208+228+235
7006+7007+7001+6983 6980+6997+7006+6983 6996+6997 6996+6998 6999+7005
132 131+5063 201+291 297+5054 5137+5135+360+358 314+359+5073+5138 343 7077+11752+11688+7120
11751+7119+7121+11749
1089+1090 1081+1083 1099 6764+69+66+6769 1096 1093+1094
13360+13365+6850+6853 7791 7773+7775 7781+7782 7785+7786 7788
424+3736 410+411 409 455 7169 7170+7171 7184+10404 7166 7235+7241 492 480+486 406
416+498+499+430 515+5360 520 7262+11962 7176+7190+7248+7247 7236+7265 493 481+518
"""


def parse_portable(text: str = PORTABLE_68) -> list[tuple[int, ...]]:
    """Give the base mesh's vertex ids of every anchor.

    Example:
        >>> len(parse_portable()), parse_portable()[8], parse_portable()[27]
        (68, (732, 5296), (132,))
    """
    return [tuple(int(vertex) for vertex in point.split("+")) for point in text.split()]


def landmark_vertices(topology: Topology, points: list[tuple[int, ...]]) -> np.ndarray:
    """Find the subdivided mesh's vertex that comes from each vertex, edge or quad of the base mesh.

    Raises:
        MGCError: if two ids are not an edge of the head, or four not a quad.
    """
    control_of = {int(base): control for control, base in enumerate(topology.base_ids)}
    num_verts = int(topology.head_quads.max()) + 1
    edge_of = {frozenset(edge): number for number, edge in enumerate(topology.edges.tolist())}
    quad_of = {frozenset(quad): number for number, quad in enumerate(topology.head_quads.tolist())}
    found = []
    for point in points:
        control = [control_of.get(vertex, -1) for vertex in point]
        key = frozenset(control)
        if len(point) == 1 and control[0] >= 0:
            found.append(control[0])
        elif key in edge_of:
            found.append(num_verts + edge_of[key])
        elif key in quad_of:
            found.append(num_verts + len(topology.edges) + quad_of[key])
        else:
            raise MGCError(f"Base vertices {point} are no vertex, edge or quad of the cropped head")
    return np.array(found)


def anchor_vertices(data: FaceModelData) -> np.ndarray:
    """Find the anchors (68,) on the subdivided mesh of a built model, without the assets.

    Of all fine vertices the one made from a vertex, an edge or a quad gives these the largest smallest weight.
    """
    control_of = {int(base): control for control, base in enumerate(data.extras["makehuman.vertex_ids"])}
    columns = data.subdivision.tocsc()  # type: ignore[union-attr]
    return np.array(
        [columns[:, [control_of[v] for v in point]].toarray().min(axis=1).argmax() for point in parse_portable()]
    )


def read_placements(path: Path = PLACEMENTS) -> tuple[np.ndarray, np.ndarray]:
    """Read the landmarks: three vertices of the subdivided head (68, 3), and their weights (68, 3)."""
    rows = np.array(json.loads(path.read_text(encoding="utf-8"))["landmarks"], dtype=np.float64)
    return rows[:, :3].astype(np.int64), rows[:, 3:]


def check_placements(index: np.ndarray, fine_faces: np.ndarray) -> None:
    """Make sure that the landmarks lie on triangles of a subdivided head: another subdivision may number it otherwise.

    Raises:
        MGCError: naming the first that does not.
    """
    triangles = {tuple(sorted(face)) for face in fine_faces.tolist()}
    for number, corners in enumerate(index.tolist()):
        if tuple(sorted(corners)) not in triangles:
            raise MGCError(f"Landmark {number} lies on {corners}, which are no triangle of the subdivided head")
