"""Soft masks and named regions of the head, from UV images, morph targets and the mean's geometry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse

from mgc_lightning.face_models.model_data import FACE_MASK, RENDER_REGION
from tools.makehuman_build.assets import Assets
from tools.makehuman_build.topology import EYE_SECTORS, Topology

FACE_RADIUS = 95.0
"""The evaluated face: head vertices without ears within this distance (mm) of the base mesh's nose tip."""
INTERIOR_RADIUS = 80.0
"""How deep into the mouth, from the nose tip, the rendered face goes."""
NOSE_TIP = 30

CHEEK_TARGETS = ("cheek-bones-incr", "cheek-inner-incr", "cheek-volume-incr")
HAIRLINE_Y = (5.0, 20.0, 40.0, 60.0, 80.0, 100.0, 125.0)
HAIRLINE_Z = (20.41, 27.71, 32.59, 36.73, 41.21, 45.84, 59.04)
NECK_LINE_X = (0.0, 20.0, 40.0, 55.0, 70.0)
NECK_LINE_Y = (-85.74, -82.41, -76.35, -48.95, -25.77)


def smoothstep(start: float, end: float, value: np.ndarray) -> np.ndarray:
    """Ramp from 0 at `start` to 1 at `end` with flat ends.

    Example:
        >>> smoothstep(0.0, 2.0, np.array([-1.0, 1.0, 5.0])).tolist()
        [0.0, 0.5, 1.0]
    """
    share = np.clip((value - start) / (end - start), 0, 1)
    return share * share * (3 - 2 * share)


@dataclass
class HeadGeometry:
    """Hold what the masks are made from.

    Attributes:
        topology: the meshes.
        template: (N1, 3) mm, the base mesh's head, subdivided.
        mean: (N1, 3) mm, the mean head, model frame, subdivided.
        landmarks: (68,) fine vertices.
        num_base: number of vertices of the base mesh.
    """

    topology: Topology
    template: np.ndarray
    mean: np.ndarray
    landmarks: np.ndarray
    num_base: int

    @property
    def head(self) -> np.ndarray:
        """Vertices of the outer head (N1,)."""
        return self.topology.part_verts("head")


def neighbour_average(faces: np.ndarray, num_verts: int) -> scipy.sparse.csr_matrix:
    """Give the matrix that averages each vertex's neighbours."""
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    ends = np.concatenate([ends, ends[:, ::-1]])
    ones = np.ones(len(ends))
    adjacency = scipy.sparse.csr_matrix((ones, (ends[:, 0], ends[:, 1])), shape=(num_verts, num_verts))
    adjacency.data[:] = 1
    valence = np.asarray(adjacency.sum(axis=1)).ravel()
    return (scipy.sparse.diags(1 / np.maximum(valence, 1)) @ adjacency).tocsr()


def soft_masks(assets: Assets, geometry: HeadGeometry) -> dict[str, np.ndarray]:
    """Give masks (N1,) in [0, 1] of the parts that have a colour or a name of their own."""
    head = geometry.head
    masks = {name: _uv_mask(assets, geometry, name) for name in ("lips", "eyelids", "ears")}
    masks |= _target_masks(assets, geometry)
    masks |= {name: mask * head for name, mask in _drawn_masks(geometry, masks).items()}
    masks |= _part_masks(geometry.topology)
    return masks


def _uv_mask(assets: Assets, geometry: HeadGeometry, name: str) -> np.ndarray:
    """Sample a UV image at the nearest pixel, and smooth once over the mesh."""
    image = assets.image(f"mpfb2/textures/mpfb_{name}.jpg", "L") / 255.0
    height, width = image.shape
    uv = geometry.topology.uv
    column = np.clip((uv[:, 0] * width).astype(int), 0, width - 1)
    row = np.clip(((1 - uv[:, 1]) * height).astype(int), 0, height - 1)
    mask = np.where(uv[:, 0] < 0, 0.0, image[row, column])
    average = neighbour_average(geometry.topology.fine_faces, len(mask))
    return 0.5 * mask + 0.5 * (average @ mask)


def _target_masks(assets: Assets, geometry: HeadGeometry) -> dict[str, np.ndarray]:
    """Give nose and cheeks where the artist's own morph targets for them act."""
    topology = geometry.topology

    def strength(name: str) -> np.ndarray:
        moved = assets.target(f"mpfb2/targets/{name}.target.gz", geometry.num_base)[topology.base_ids]
        length = np.linalg.norm(topology.subdivision @ moved, axis=1)
        return length / length.max()

    cheeks = sum(strength(f"cheek/{side}-{name}") for side in "lr" for name in CHEEK_TARGETS)
    return {
        "nose": smoothstep(0.35, 0.75, strength("nose/nose-trans-forward")),
        "cheeks": smoothstep(0.45, 1.09, np.asarray(cheeks)),
    }


def _drawn_masks(geometry: HeadGeometry, masks: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Draw masks on the mean head, in its own frame (mm)."""
    x, y, z = geometry.mean.T
    side = np.abs(x)
    points = geometry.mean[geometry.landmarks]
    hair = _hair(y, z) * (1 - masks["ears"])
    chin_y, chin_z = points[57, 1], points[8, 2]
    return {
        "brows": _brows(side, y, points[17:22]) * (z > 40),
        "hair": hair,
        "forehead": smoothstep(3, 8, y - points[19, 1]) * (1 - hair) * smoothstep(28, 38, z),
        "chin": (1 - smoothstep(20, 26, side)) * (1 - smoothstep(chin_y - 9, chin_y - 6, y)) * (z > chin_z - 14.1),
        "blush": _blob(geometry.mean, points, [1, 31], 16.0, shift=(6.0, 2.0, 0.0)) * (1 - masks["eyelids"]),
        "nosetip": np.exp(-(np.linalg.norm(geometry.mean - points[30], axis=1) ** 2) / (2 * 9.0**2)),
        "beard": _beard(side, y, z, points) * (1 - masks["lips"]) * (1 - masks["ears"]),
        "undereye": _undereye(side, y, z, points),
        "lash": _lash(geometry),
    }


def _hair(y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Cover the scalp: behind a hairline above the sideburn, and around and behind the ear."""
    above = smoothstep(1.91, 27.49, y) * smoothstep(-8.1, 8.1, np.interp(y, HAIRLINE_Y, HAIRLINE_Z) - z)
    behind = smoothstep(-5.55, 17.18, -z) * smoothstep(-53.3, -21.2, y)
    return 1 - (1 - above) * (1 - behind)


def _brows(side: np.ndarray, y: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Draw an arch through five landmarks, thinner toward the temple."""
    where = -points[::-1, 0]
    middle = np.interp(side, where, points[::-1, 1])
    half = np.interp(side, [where[0], where[2], where[4]], [4.4, 3.55, 1.76])
    across = 1 - smoothstep(-1.3, 1.3, np.abs(y - middle) - half)
    return across * smoothstep(10.1, 14.0, side) * (1 - smoothstep(48.05, 52.4, side))


def _blob(
    mean: np.ndarray, points: np.ndarray, pair: list[int], radius: float, shift: tuple[float, float, float]
) -> np.ndarray:
    """Give a Gaussian about the middle of two landmarks, on both sides of the face."""
    centre = np.abs(points[pair].mean(axis=0)) * np.sign([1, *points[pair].mean(axis=0)[1:]]) + shift
    folded = mean * (1, 1, 1)
    folded[:, 0] = np.abs(folded[:, 0])
    return np.exp(-(((folded - centre) / (1, 1, 2.5)) ** 2).sum(axis=1) / (2 * radius**2))


def _beard(side: np.ndarray, y: np.ndarray, z: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Cover chin, jaw, and the upper lip."""
    corner, base = points[54], points[33]
    edge = np.interp(side, [0, 26, 45, 72], [corner[1] - 4, corner[1] - 2, corner[1] + 2, 10.0])
    lower = 1 - smoothstep(-5, 5, y - edge)
    upper_lip = (1 - smoothstep(base[1] - 3, base[1], y)) * (1 - smoothstep(20, 28, side)) * (z > 55)
    jaw = smoothstep(points[8, 1] - 14, points[8, 1] - 4, y + 0.35 * (points[8, 2] - z).clip(0, 60))
    return np.maximum(lower, upper_lip) * jaw * smoothstep(-8, 6, z)


def _undereye(side: np.ndarray, y: np.ndarray, z: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Give a crescent below each lower lid."""
    lid = points[[42, 47, 46, 45]]
    below = np.interp(side, lid[:, 0], lid[:, 1]) - y
    along = smoothstep(lid[0, 0] - 4, lid[0, 0] + 6, side) * (1 - smoothstep(lid[3, 0] - 8, lid[3, 0] + 2, side))
    return smoothstep(0, 5, below) * (1 - smoothstep(6, 16, below)) * along * (z > 40)


def _lash(geometry: HeadGeometry) -> np.ndarray:
    """Mark the lid margin: the vertices that the outer head shares with the inner lids, a little softened."""
    margin = 1.0 * (geometry.head & geometry.topology.part_verts("inner_lid"))
    average = neighbour_average(geometry.topology.fine_faces, len(margin))
    return np.clip(0.8 * margin + 0.6 * (average @ margin), 0, 1)


def _part_masks(topology: Topology) -> dict[str, np.ndarray]:
    num_verts = topology.subdivision.shape[0]
    masks = {name: np.zeros(num_verts) for name in ("pupil", "iris", "limbus", "sclera")}
    for part in ("eye_r", "eye_l"):
        first = int(np.flatnonzero(topology.part_verts(part))[0])
        ring = np.r_[-1, np.repeat(np.arange(13), EYE_SECTORS)]
        for name, (low, high) in {
            "pupil": (-1, 1),
            "iris": (2, 5),
            "limbus": (4, 5),
            "sclera": (6, 12),
        }.items():
            masks[name][first : first + len(ring)] = (ring >= low) & (ring <= high)
    masks["eyeball"] = 1.0 * topology.part_verts("eye_r", "eye_l")
    masks["mouth"] = 1.0 * (topology.part_verts("mouth_cavity") & ~topology.part_verts("head"))
    masks["teeth"] = 1.0 * topology.part_verts("teeth")
    masks["lidinner"] = 1.0 * (topology.part_verts("inner_lid") & ~topology.part_verts("head"))
    return masks


def named_regions(geometry: HeadGeometry, masks: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Give the regions (N1,) bool: a partition by name, then the evaluated and the rendered face."""
    right = geometry.mean[:, 0] < 0
    eyes = (masks["eyelids"] > 0.5) | (masks["lidinner"] > 0.5)
    layers = [
        ("nose", masks["nose"] > 0.5),
        ("lips", masks["lips"] > 0.5),
        ("forehead", masks["forehead"] > 0.5),
        ("cheek_r", (masks["cheeks"] > 0.3) & right),
        ("cheek_l", (masks["cheeks"] > 0.3) & ~right),
        ("eye_region_r", eyes & right),
        ("eye_region_l", eyes & ~right),
        ("brow_r", (masks["brows"] > 0.5) & right),
        ("brow_l", (masks["brows"] > 0.5) & ~right),
        ("chin", masks["chin"] > 0.5),
        ("ear_r", (masks["ears"] > 0.5) & right),
        ("ear_l", (masks["ears"] > 0.5) & ~right),
        ("scalp", masks["hair"] > 0.5),
        ("neck", _neck(geometry) & (masks["ears"] <= 0.5) & (masks["hair"] <= 0.5)),
        ("mouth_interior", masks["mouth"] > 0.5),
        ("teeth", masks["teeth"] > 0.5),
        ("eyeball_r", (masks["eyeball"] > 0.5) & right),
        ("eyeball_l", (masks["eyeball"] > 0.5) & ~right),
    ]
    label = np.zeros(len(right), dtype=int)
    for number, (_, mask) in enumerate(layers):
        label[mask] = number + 1
    names = ["other_skin", *(name for name, _ in layers)]
    regions = {name: label == number for number, name in enumerate(names)}
    ears = regions["ear_r"] | regions["ear_l"]
    tip = geometry.template[geometry.landmarks[NOSE_TIP]]
    reach = np.linalg.norm(geometry.template - tip, axis=1)
    regions[FACE_MASK] = geometry.head & ~ears & (reach < FACE_RADIUS)
    inside = (masks["mouth"] > 0.5) & (reach < INTERIOR_RADIUS)
    regions[RENDER_REGION] = regions[FACE_MASK] | inside | (masks["lidinner"] > 0.5) | (masks["eyeball"] > 0.5)
    return regions


def _neck(geometry: HeadGeometry) -> np.ndarray:
    """Find what lies below the jaw line, and behind the ear below the hair's edge."""
    x, y, z = geometry.mean.T
    front = y < np.interp(np.abs(x), NECK_LINE_X, NECK_LINE_Y)
    back = y < 0.67 * z - 0.293 * np.abs(x) - 5.8
    return geometry.head & np.where(z > -20, front, back) & (y < -25)
