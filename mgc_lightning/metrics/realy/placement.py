"""Where REALY's 85 keypoints lie on a face mesh that has the 68 landmarks of iBUG.

Keypoints 0-67 are the 68 landmarks. The other 17 lie on smooth skin: below the eyes (68, 69), beside the nose (70, 71),
beside the mouth (72, 73), on the temple side of the cheek (74, 75), on the cheek (76, 77), on the chin (78-80) and
toward the jaw (81-84). Each has an angle about a vertical axis inside the head, and a height on the scale
eyes 0, nose base 1, mouth corners 2, chin 3. Both were measured on the HIFI3D, BFM and FLAME templates of the official
repository and averaged; the four that the protocol uses (70, 71, 76, 77) agree there within 3 degrees and .06.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray

from mgc_lightning.errors import MGCError
from mgc_lightning.geometry.closest_points import ClosestPoints, barycentric_weights

AXIS_DEPTH = 0.75
"""Distance of the axis behind the outer eye corners, in distances between them."""

RIGHT_AND_LEFT: dict[tuple[int, int], tuple[float, float]] = {
    (68, 69): (29.2, 0.365),
    (70, 71): (17.4, 0.777),
    (72, 73): (30.7, 1.742),
    (74, 75): (51.8, 0.307),
    (76, 77): (39.5, 0.87),
    (78, 80): (12.8, 2.523),
    (81, 82): (62.1, 0.725),
    (83, 84): (56.6, 1.605),
}
"""Angle in degrees from straight ahead, and height, of pairs (viewer's left, viewer's right)."""
EYES = range(36, 48)
CENTRE: dict[int, float] = {79: 2.472}
"""Height of the point in the middle of the chin."""


def place_keypoints(
    verts: Float[NDArray, "N 3"],
    faces: Int[NDArray, "F 3"],
    landmarks68: Float[NDArray, "68 3"],
    skin: Bool[NDArray, " N"] | None = None,
) -> tuple[Int[NDArray, "85 3"], Float[NDArray, "85 3"]]:
    """Place the 85 keypoints on the surface of an upright frontal face.

    Args:
        verts: (N, 3) x to the viewer's right, y up, z toward the viewer; any unit.
        faces: (F, 3).
        landmarks68: (68, 3) near the surface.
        skin: (N,) vertices of the outer skin; keypoints lie on faces of these alone.

    Returns:
        The three vertices of each keypoint's face, and their weights; rows sum to 1.

    Raises:
        MGCError: if the landmarks are not 68, or a ray misses the face.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> model = load_face_model()
        >>> verts = model.mean.double().numpy()
        >>> landmarks = model.landmarks68(model.mean).double().numpy()
        >>> triangles, weights = place_keypoints(verts, model.faces.numpy(), landmarks)
        >>> keypoints = (verts[triangles] * weights[..., None]).sum(1)
        >>> keypoints.shape, bool(np.allclose(weights.sum(1), 1))
        ((85, 3), True)
    """
    if landmarks68.shape != (68, 3):
        raise MGCError(f"Expected 68 landmarks of shape (68, 3), got {landmarks68.shape}")
    outer = faces if skin is None else faces[skin[faces].all(axis=1)]
    points = np.concatenate([landmarks68, np.zeros((17, 3))])
    for index in EYES:
        points[index] = _seen_from_front(verts, outer, landmarks68[index])
    for (right, left), (angle, height) in RIGHT_AND_LEFT.items():
        points[right] = _on_skin(verts, outer, landmarks68, -angle, height)
        points[left] = _on_skin(verts, outer, landmarks68, angle, height)
    for index, height in CENTRE.items():
        points[index] = _on_skin(verts, outer, landmarks68, 0.0, height)
    _, face_index, closest = ClosestPoints(verts, outer).query(points)
    triangles = outer[face_index]
    return triangles, barycentric_weights(closest, verts[triangles])


def _seen_from_front(
    verts: Float[NDArray, "N 3"], faces: Int[NDArray, "F 3"], point: Float[NDArray, " 3"]
) -> Float[NDArray, " 3"]:
    """Bring a point of the lid's inner fold forward to the skin that hides it; image landmarks do not mind depth."""
    forward = np.array([0.0, 0.0, 1.0])
    distances = ray_distances(point, forward, verts[faces])
    hits = distances[np.isfinite(distances)]
    return point + hits.max(initial=0.0) * forward


def _on_skin(
    verts: Float[NDArray, "N 3"],
    faces: Int[NDArray, "F 3"],
    landmarks68: Float[NDArray, "68 3"],
    angle: float,
    height: float,
) -> Float[NDArray, " 3"]:
    """Send a horizontal ray from the head's axis and give the last face that it crosses."""
    eyes = landmarks68[[36, 45]].mean(axis=0)
    width = float(np.linalg.norm(landmarks68[36] - landmarks68[45]))
    levels = [eyes[1], landmarks68[33, 1], landmarks68[[48, 54], 1].mean(), landmarks68[8, 1]]
    y = np.interp(height, [0, 1, 2, 3], levels)
    origin = np.array([eyes[0], y, eyes[2] - AXIS_DEPTH * width])
    direction = np.array([np.sin(np.deg2rad(angle)), 0.0, np.cos(np.deg2rad(angle))])
    distances = ray_distances(origin, direction, verts[faces])
    hits = distances[np.isfinite(distances) & (distances < 2 * width)]
    if not len(hits):
        raise MGCError(f"No skin at {angle:g} degrees and height {height:g}: is the face upright and frontal?")
    return origin + hits.max() * direction


def ray_distances(
    origin: Float[NDArray, " 3"], direction: Float[NDArray, " 3"], corners: Float[NDArray, "F 3 3"]
) -> Float[NDArray, " F"]:
    """Give the distance along a ray to each triangle, inf where it misses (Moeller and Trumbore, 1997).

    Example:
        >>> wall = np.array([[[-1.0, -1, 5], [1, -1, 5], [0, 1, 5]]])
        >>> ahead = np.array([0.0, 0.0, 1.0])
        >>> ray_distances(np.zeros(3), ahead, wall).tolist(), ray_distances(np.zeros(3), -ahead, wall).tolist()
        ([5.0], [inf])
    """
    u, w = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    normal = np.cross(direction, w)
    determinant = np.einsum("fc,fc->f", u, normal)
    safe = np.where(np.abs(determinant) > 1e-12, determinant, np.nan)
    from_corner = origin - corners[:, 0]
    s = np.einsum("fc,fc->f", from_corner, normal) / safe
    across = np.cross(from_corner, u)
    t = across @ direction / safe
    distance = np.einsum("fc,fc->f", w, across) / safe
    inside = (s >= 0) & (t >= 0) & (s + t <= 1) & (distance > 0)
    return np.where(inside, distance, np.inf)
