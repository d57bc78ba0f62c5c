"""The 68 landmarks, by vertices of MakeHuman's base mesh, which no re-meshing can move."""

from __future__ import annotations

import numpy as np

from mgc_lightning.errors import MGCError
from tools.makehuman_build.topology import Topology

# Each landmark is one vertex, the middle of an edge (two) or of a quad (four); iBUG order.
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
NOW_7 = (36, 39, 42, 45, 33, 48, 54)
"""The NoW benchmark's seven points among the 68: eye corners, nose base, mouth corners."""


def parse_portable(text: str = PORTABLE_68) -> list[tuple[int, ...]]:
    """Give the base mesh's vertex ids of every landmark.

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
