"""Place iBUG's 68 points on the embedded head: where annotators of photographs see them.

    python -m tools.place_landmarks --ict FaceXModel

`FaceXModel` is the folder of github.com/ICT-VGL/ICT-FaceKit (MIT) with generic_neutral_mesh.obj and
vertex_indices.json. Writes mgc_lightning/face_models/data/makehuman_landmarks.json, and landmarks and main pose into
makehuman.npz beside it.

Where the points come from, group by group (all in % of the distance of the outer eye corners, from the front):

- ICT-FaceKit's artists placed the 68 points on their head. The embedded model's identity is fitted to that head, which
  carries the points over: mouth corners, and the start of brows and jaw.
- Lips and lids have their points on the margins that close and open with them; along these they lie where they lie on
  annotated faces. `ANNOTATED` are proportions of the mean face of the 300-W annotations (Sagonas et al. 2013), for
  eyes, nose and inner lips averaged with those of a mean of frontal photographs, since the two differ.
- The jaw lies halfway between the outline that a frontal view shows and the jaw line of the artists, at equal
  distances.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mgc_lightning.evaluation.realy.topology import inner_parts
from mgc_lightning.face_models import EMBEDDED, FaceModel, face_model_path, read_face_model, save_face_model
from mgc_lightning.face_models.conversion import single_vertices
from mgc_lightning.face_models.ict import INDICES, NEUTRAL, PARTS, read_obj
from mgc_lightning.face_models.landmark_proportions import IBUG_PROPORTIONS, landmark_proportions
from mgc_lightning.face_models.landmark_transfer import fit_template, on_surface
from mgc_lightning.face_models.model_data import FaceModelData
from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.geometry.landmarks68 import SEVEN_POINTS
from mgc_lightning.geometry.main_pose import fit_main_pose
from mgc_lightning.metrics.realy.placement import ray_distances
from tools.makehuman_build.landmarks import PLACEMENTS, anchor_vertices
from tools.mesh_curves import all_edges, cut, equal_arcs, follow_edges, on_edge, point_on_path

ANNOTATED_LIPS = {49: 0.41, 50: 0.73, 58: 0.68, 59: 0.37}
"""Share of the way from the mouth's corner to its middle: the 300-W mean face."""
ANNOTATED_INNER_LIPS = {60: 0.12, 61: 0.68, 67: 0.68}
ANNOTATED_LIDS = {37: 0.24, 38: 0.65, 40: 0.68, 41: 0.28}
"""Share of the way from the outer to the inner corner."""
LID, FORWARD = 7.0, 0.2
"""Distance in mm within which a lid's front edge is sought, and how much its depth counts beside its reach."""
CUPIDS_BOW = 1.3
"""How far 51 lies below 50 and 52."""
NASION, NOSE_TIP, NOSE_BASE = -3.0, 40.0, 54.8
"""How far 27, 30 and 33 lie below the outer eye corners: where detectors find them on renders of this head, whose nose
is long; 30 is at .73 of 33, as on photographs."""
NOSTRILS = {31: (14.4, 3.85), 32: (7.95, 0.8)}
"""Distance from the midline, and height above 33."""
BROWS_300W = {17: 54.8, 18: 46.2, 19: 35.2, 20: 23.1, 21: 12.2}
"""Distance from the midline on the 300-W mean face. Its heights do not count: it looks up, as its short nose says."""
BROWS_PHOTOGRAPHS = {17: (62.5, 16.5), 18: (56.0, 22.5), 19: (45.5, 25.4), 20: (31.9, 24.4), 21: (16.4, 22.3)}
"""Distance from the midline and height on frontal photographs. Detectors agree there, and put brows 5 % lower than the
rest of a face makes expect of this head; their height counts twice beside that of the artists."""
ICT_KNOWN = (27, 33, 36, 39, 42, 45, 48, 54)
MIRRORED = dict(
    zip(
        [*range(17, 22), 31, 32, 36, 37, 38, 39, 40, 41, 48, 49, 50, 58, 59, 60, 61, 67],
        [*range(26, 21, -1), 35, 34, 45, 44, 43, 42, 47, 46, 54, 53, 52, 56, 55, 64, 63, 65],
        strict=True,
    )
)
"""The point on the viewer's right of each on the viewer's left."""

Placement = tuple[np.ndarray, np.ndarray]
"""Three vertices and their weights."""


@dataclass(frozen=True)
class Head:
    """Hold the subdivided mean head, what of it is skin, and the geometric points that its build starts from.

    Attributes:
        verts: (N, 3) mm.
        faces: (F, 3).
        skin: (G, 3) triangles without mouth cavity, teeth and eyeballs.
        anchors: (68,) vertices.
    """

    verts: np.ndarray
    faces: np.ndarray
    skin: np.ndarray
    anchors: np.ndarray

    @property
    def origin(self) -> np.ndarray:
        """Middle of the outer eye corners."""
        return self.verts[self.anchors[[36, 45]]].mean(axis=0)

    @property
    def percent(self) -> float:
        """Mm in 1 % of their distance."""
        return float(np.linalg.norm(self.verts[self.anchors[45]] - self.verts[self.anchors[36]])) / 100

    def height(self, point: np.ndarray) -> float:
        """Give how far a point lies below the outer eye corners, in %."""
        return float(self.origin[1] - point[1]) / self.percent

    def seen_at(self, x: float, down: float) -> Placement:
        """Find the skin that a frontal view shows at a place in %: y down from the outer eye corners."""
        start = self.origin + self.percent * np.array([x, -down, 0.0])
        start[2] = self.verts[:, 2].max() + 1
        distances = ray_distances(start, np.array([0.0, 0.0, -1.0]), self.verts[self.skin])
        hit = start - np.array([0.0, 0.0, distances.min()])
        index, weights = on_surface(hit[None], self.verts, self.skin)
        return index[0], weights[0]

    def at_anchor(self, number: int) -> Placement:
        """Give an anchor as a placement."""
        index, weights = on_surface(self.verts[self.anchors[number]][None], self.verts, self.skin)
        return index[0], weights[0]

    def front_edge(self, axis: int, value: float, near: np.ndarray, direction: np.ndarray) -> Placement:
        """Find the skin within a few mm of a point that reaches farthest in a direction, in a plane across an axis."""
        edges = all_edges(self.skin)
        edges = edges[(np.linalg.norm(self.verts[edges] - near, axis=2) < LID).all(axis=1)]
        ends, shares = cut(self.verts, edges, axis, value)
        points = self.verts[ends[:, 0]] * (1 - shares[:, None]) + self.verts[ends[:, 1]] * shares[:, None]
        best = (points @ direction).argmax()
        return on_edge(self.skin, *ends[best], shares[best])

    def along(self, stops: list[int], share: float) -> Placement:
        """Find the point of an edge path through anchors whose frontal x lies at a share between its first and last."""
        path = follow_edges(self.verts, self.skin, self.anchors[stops])
        first, last = self.verts[path[0], 0], self.verts[path[-1], 0]
        return point_on_path(self.verts, self.skin, path, first + share * (last - first))


def place(data: FaceModelData, ict: Path) -> Placement:
    """Place the 68 points on the subdivided head: three vertices (68, 3) and their weights (68, 3)."""
    model = FaceModel(data, level=1)
    faces = model.faces.numpy()
    outer = ~inner_parts(model)
    verts = model.mean.double().numpy()
    head = Head(verts, faces, faces[outer[faces].all(axis=1)], anchor_vertices(data))
    carried = carry_from_ict(data, model, head, ict)
    points: dict[int, Placement] = {}
    for side in (-1, 1):
        mine = MIRRORED if side > 0 else {index: index for index in MIRRORED}
        points |= _lids(head, mine) | _lips(head, mine, carried) | _nostrils(head, mine, side)
        points |= _brows(head, mine, side, carried)
    points |= _midline(head) | _jaw(head, carried)
    index, weights = (np.stack([points[number][part] for number in range(68)]) for part in (0, 1))
    return index, weights


def carry_from_ict(data: FaceModelData, model: FaceModel, head: Head, folder: Path) -> np.ndarray:
    """Carry ICT-FaceKit's 68 points to the mean head (68, 3) mm, by fitting the model to its neutral head."""
    verts = 10 * read_obj(folder / NEUTRAL)[0]
    listed = json.loads((folder / INDICES).read_text(encoding="utf-8"))["idx_to_landmark_verts"]
    skin = np.arange(len(verts)) < PARTS["head_neck"]
    points = verts[listed]
    index, weights = single_vertices(head.anchors)
    template = replace(data, landmarks68_index=index, landmarks68_weights=weights)
    fitted = fit_template(verts, {number: points[number] for number in ICT_KNOWN}, template, skin)
    placed = fitted.place(head.verts, model.identity_basis.numpy())
    triangles, shares = on_surface(points, placed, head.skin)
    distance = np.linalg.norm((placed[triangles] * shares[..., None]).sum(axis=1) - points, axis=1)
    print(f"ICT-FaceKit's points lie {np.median(distance):.1f} mm (at most {distance.max():.1f}) off the fitted head")
    return (head.verts[triangles] * shares[..., None]).sum(axis=1)


def _lids(head: Head, mine: dict[int, int]) -> dict[int, Placement]:
    """Place the lids' points on their front edges, which are what is seen of them from the front and from the side."""
    outer, inner = head.verts[head.anchors[[mine[36], mine[39]]]]
    inward = np.sign(inner[0] - outer[0])
    points = {mine[36]: head.front_edge(1, outer[1], outer, np.array([inward, 0.0, FORWARD]))}
    points[mine[39]] = head.at_anchor(mine[39])
    for i, share in ANNOTATED_LIDS.items():
        x = outer[0] + share * (inner[0] - outer[0])
        down = -1.0 if i < 39 else 1.0
        points[mine[i]] = head.front_edge(0, x, head.verts[head.anchors[mine[i]]], np.array([0.0, down, FORWARD]))
    return points


def _lips(head: Head, mine: dict[int, int], carried: np.ndarray) -> dict[int, Placement]:
    corner = carried[mine[48]]
    index, weights = on_surface(corner[None], head.verts, head.skin)
    points = {mine[48]: (index[0], weights[0])}
    # Shares count from the mouth's corner, which is not quite where the edges of the lips meet.
    edge = head.verts[head.anchors[mine[48]], 0]
    for i, share in ANNOTATED_LIPS.items():
        border = [48, 49, 50] if i < 51 else [48, 59, 58]
        stops = [*(mine[j] for j in border), 51 if i < 51 else 57]
        points[mine[i]] = head.along(stops, 1 - (1 - share) * corner[0] / edge)
    edge = head.verts[head.anchors[mine[60]], 0]
    for i, share in ANNOTATED_INNER_LIPS.items():
        stops = [mine[60], mine[61], 62] if i < 62 else [mine[60], mine[67], 66]
        points[mine[i]] = head.along(stops, max(0.0, 1 - (1 - share) * corner[0] / edge))
    return points


def _nostrils(head: Head, mine: dict[int, int], side: int) -> dict[int, Placement]:
    return {mine[i]: head.seen_at(side * x, NOSE_BASE - up) for i, (x, up) in NOSTRILS.items()}


def _brows(head: Head, mine: dict[int, int], side: int, carried: np.ndarray) -> dict[int, Placement]:
    points = {}
    for i, (x, up) in BROWS_PHOTOGRAPHS.items():
        artists = carried[mine[i]]
        x_artists, up_artists = abs(artists[0] - head.origin[0]) / head.percent, -head.height(artists)
        points[mine[i]] = head.seen_at(side * (BROWS_300W[i] + x + x_artists) / 3, -(2 * up + up_artists) / 3)
    return points


def _midline(head: Head) -> dict[int, Placement]:
    ridge = np.linspace(NASION, NOSE_TIP, 4)
    points = {27 + step: head.seen_at(0.0, down) for step, down in enumerate(ridge)}
    points[33] = head.seen_at(0.0, NOSE_BASE)
    border = head.along([48, 49, 50, 51], ANNOTATED_LIPS[50])
    points[51] = head.seen_at(0.0, head.height((head.verts[border[0]] * border[1][:, None]).sum(0)) + CUPIDS_BOW)
    return points | {number: head.at_anchor(number) for number in (57, 62, 66)}


def _jaw(head: Head, carried: np.ndarray) -> dict[int, Placement]:
    outline, artists = (equal_arcs(line, 65) for line in (head.verts[head.anchors[:17]], carried[:17]))
    index, weights = on_surface((outline + artists) / 2, head.verts, head.skin)
    line = (head.verts[index] * weights[..., None]).sum(axis=1)
    index, weights = on_surface(equal_arcs(line, 17), head.verts, head.skin)
    return {number: (index[number], weights[number]) for number in range(17)}


def write_placements(index: np.ndarray, weights: np.ndarray, path: Path = PLACEMENTS) -> None:
    """Write one landmark a line: three vertices of the subdivided head and their weights."""
    rows = [json.dumps([*map(int, i), *(float(v) for v in w)]) for i, w in zip(index, weights, strict=True)]
    what = "iBUG's 68 points on the subdivided head, by tools/place_landmarks.py: three vertices and their weights"
    with atomic_path(path) as temporary:
        text = ",\n  ".join(rows)
        temporary.write_text(f'{{"what": {json.dumps(what)},\n "landmarks": [\n  {text}\n]}}\n', encoding="utf-8")


def with_landmarks(data: FaceModelData, index: np.ndarray, weights: np.ndarray) -> FaceModelData:
    """Give the model with other landmarks, and the main pose that follows from them; its geometry stays."""
    verts = FaceModel(data, level=1).mean.double().numpy()
    return replace(
        data,
        landmarks68_index=index,
        landmarks68_weights=weights.astype(np.float32),
        landmarks7_index=index[list(SEVEN_POINTS)],
        landmarks7_weights=weights[list(SEVEN_POINTS)].astype(np.float32),
        main_pose=fit_main_pose((verts[index] * weights[..., None]).sum(axis=1)).astype(np.float32),
    )


def main() -> None:
    """Place, report the proportions, and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ict", type=Path, required=True, help="folder FaceXModel of ICT-FaceKit")
    args = parser.parse_args()
    path = face_model_path(EMBEDDED)
    data = read_face_model(path)
    index, weights = place(data, args.ict)
    weights = np.round(weights, 6)
    write_placements(index, weights)
    placed = with_landmarks(data, index, weights)
    save_face_model(placed, path)
    before, after = (FaceModel(each, level=1) for each in (data, placed))
    old, new = (landmark_proportions(each.landmarks68(each.mean).numpy()) for each in (before, after))
    for name, (low, high) in IBUG_PROPORTIONS.items():
        print(f"{name:12s} {float(old[name]):7.2f} -> {float(new[name]):7.2f}   iBUG {low:g} to {high:g}")


if __name__ == "__main__":
    main()
