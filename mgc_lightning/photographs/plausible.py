"""Landmarks and boxes that cannot be a face of their picture: refused, with what seems wrong and how to mend it."""

from __future__ import annotations

import functools
import math

import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models.loading import load_face_model
from mgc_lightning.photographs.conventions import INNER
from mgc_lightning.photographs.crop import five_points

YAWS, PITCHES = range(-90, 91, 15), range(-45, 46, 15)
"""Degrees by which the mean head is turned to look like given points."""
LARGEST_MISFIT = {5: 0.33, 68: 0.3}
"""Largest misfit of a face's points. Of 1,190 faces in photographs the worst has .23 of five and .18 of 68 points;
five points in another order have .44 and more in 99 of 100."""
MIRRORED, FROM_MISFIT = 0.75, 0.25
"""Points are mirrored if their mirror image has at most this share of their misfit, which is at least so much. The
mirror images of faces have 1.86 of it and more; full profiles, which are their own mirror images, have little."""
FEW_INSIDE = 0.5
"""Share of the points that must lie in the picture: heads may reach out of it."""
SMALLEST_SPREAD = 2.0
"""px between the outermost points."""
SMALLEST_BOX = 8.0
"""px of a side of a box."""
OVERLAP = 0.2
"""Share of a box that must lie in the picture: a loose box around a face that fills it has .3 and more."""


def check_plausible_landmarks(
    points: Float[Tensor, "N 2"], height: int, width: int, name: str = "landmarks"
) -> Float[Tensor, "N 2"]:
    """Make sure that 5 or 68 points can be those of a face in a picture, however it is turned or rolled.

    Args:
        points: (5, 2) or (68, 2) px, finite, as `checked_landmarks` gives them.
        height: of the picture in px.
        width: likewise.
        name: of the points, for the message; a file or an argument.

    Returns:
        The points.

    Raises:
        MGCError: if they are normalised, in one place, mirrored (left and right exchanged, y upward, x and y
            exchanged), in another order, or outside the picture. It says which, and what to do.

    Example:
        >>> from mgc_lightning.photographs import template
        >>> check_plausible_landmarks(template(224), 224, 224).shape
        torch.Size([5, 2])
        >>> check_plausible_landmarks(template(224) / 224, 224, 224)
        Traceback (most recent call last):
        mgc_lightning.errors.MGCError: landmarks: all points lie between 0 and 1, they look normalised; expected px \
of the photograph: multiply x by its width (224) and y by its height (224)
    """
    wrong = _wrong_with(points.detach().cpu().float(), height, width)
    if wrong:
        raise MGCError(f"{name}: {wrong}")
    return points


def check_plausible_box(box: Float[Tensor, " 4"], height: int, width: int, name: str = "box") -> Float[Tensor, " 4"]:
    """Make sure that a box x0, y0, x1, y1 can hold a face of a picture.

    Args:
        box: px.
        height: of the picture in px.
        width: likewise.
        name: of the box, for the message.

    Returns:
        The box.

    Raises:
        MGCError: if it is empty or not finite, normalised, too small to show a face, or hardly in the picture.

    Example:
        >>> check_plausible_box(torch.tensor([170.0, 60.0, 275.0, 190.0]), 300, 400).tolist()
        [170.0, 60.0, 275.0, 190.0]
    """
    if box.shape != (4,) or not bool(box.isfinite().all()) or not bool((box[2:] > box[:2]).all()):
        raise MGCError(
            f"{name}: expected x0 y0 x1 y1 in px with x0 < x1 and y0 < y1 (two corners, not a corner and a size), "
            f"got {_numbers(box)}"
        )
    x0, y0, x1, y1 = box.tolist()
    if min(x0, y0) >= 0 and max(x1, y1) <= 1.5 < max(height, width):
        raise MGCError(
            f"{name}: {_numbers(box)} looks normalised; expected px of the photograph: multiply x by its width "
            f"({width}) and y by its height ({height})"
        )
    if min(x1 - x0, y1 - y0) < SMALLEST_BOX:
        raise MGCError(
            f"{name}: {_numbers(box)} is {x1 - x0:.4g} x {y1 - y0:.4g} px, too small to show a face; "
            f"expected {SMALLEST_BOX:.0f} px at least, from hairline to chin"
        )
    seen = max(0.0, min(x1, width) - max(x0, 0.0)) * max(0.0, min(y1, height) - max(y0, 0.0))
    share = seen / ((x1 - x0) * (y1 - y0))
    if share < OVERLAP:
        where = "lies outside" if seen == 0 else f"has {share:.2%} of its area in"
        raise MGCError(
            f"{name}: {_numbers(box)} {where} the picture, which is {width} x {height} px; expected a box around one "
            "face, hairline to chin, in px of the photograph at this size and as its EXIF orientation shows it"
        )
    return box


def face_misfit(points: Float[Tensor, "*batch N 2"]) -> Float[Tensor, "*batch"]:
    """Measure how little 5 or 68 points look like a face: 0 for the mean head in some pose, 1 for nothing like it.

    The mean head is turned by all yaws and pitches, and laid on the points by a similarity of the plane; what is left
    of the best, over the points' spread (both root mean squares). Jaws, which differ between conventions, do not count.

    Args:
        points: (..., 5, 2) or (..., 68, 2), px.

    Example:
        >>> from mgc_lightning.photographs import template
        >>> face = template(224)
        >>> bool(face_misfit(face) < 0.1), bool(face_misfit(face[[2, 0, 1, 3, 4]]) > 0.5)
        (True, True)
    """
    heads = _turned_heads(points.shape[-2]).to(points)
    used = points[..., INNER, :] if points.shape[-2] == 68 else points
    # In the plane a similarity is one complex number: its best fit leaves 1 - |<p, q>|^2 / (|p|^2 |q|^2).
    p = torch.view_as_complex((used - used.mean(-2, keepdim=True)).contiguous())
    q = torch.view_as_complex(heads)
    along = (p.conj() @ q.mT).abs().square()
    spread = p.abs().square().sum(-1, keepdim=True) * q.abs().square().sum(-1)
    return (1 - along / spread.clamp(min=1e-12)).clamp(min=0).amin(-1).sqrt()


@functools.cache
def _turned_heads(count: int) -> Float[Tensor, "V N 2"]:
    """Give the points of the embedded mean head as cameras far away see it from all sides, x right, y down, centred."""
    model = load_face_model()
    points = model.landmarks68(model.mean)
    points = five_points(points) if count == 5 else points[INNER]
    views = []
    for yaw in map(math.radians, YAWS):
        for pitch in map(math.radians, PITCHES):
            x = math.cos(yaw) * points[:, 0] + math.sin(yaw) * points[:, 2]
            z = math.cos(yaw) * points[:, 2] - math.sin(yaw) * points[:, 0]
            views.append(torch.stack([x, math.sin(pitch) * z - math.cos(pitch) * points[:, 1]], dim=-1))
    heads = torch.stack(views)
    return heads - heads.mean(-2, keepdim=True)


def _wrong_with(points: Tensor, height: int, width: int) -> str:
    """Say what is wrong; nothing if the points can be a face."""
    low, high = points.amin(0), points.amax(0)
    if float(points.abs().max()) <= 1.5 < max(height, width) / 2 and float((high - low).max()) > 0:
        span = "0 and 1" if float(low.min()) > -0.25 else "-1 and 1"
        return (
            f"all points lie between {span}, they look normalised; expected px of the photograph: multiply x by its "
            f"width ({width}) and y by its height ({height})"
        )
    if float((high - low).max()) < SMALLEST_SPREAD:
        return (
            f"all points lie in one place, at ({float(low[0]):.4g}, {float(low[1]):.4g}); expected the points of a "
            "face in px: did the detector find one here?"
        )
    misfit = float(face_misfit(points))
    mirrored = float(face_misfit(points * points.new_tensor([-1.0, 1.0])))
    if misfit > FROM_MISFIT and mirrored < MIRRORED * misfit:
        return _mirrored(points, height, width)
    if misfit > LARGEST_MISFIT[len(points)]:
        order = (
            "the viewer's left eye, the right one, nose base, left mouth corner, the right one"
            if len(points) == 5
            else "iBUG's 68: jaw from the viewer's left, brows, nose, eyes, lips"
        )
        return f"the points do not lie like a face's: another order, or another scheme? Expected {order}"
    inside = ((points >= 0) & (points <= points.new_tensor([width, height]))).all(1).float().mean()
    if float(inside) < FEW_INSIDE:
        return (
            f"{1 - float(inside):.0%} of the points lie outside the picture, which is {width} x {height} px: they have "
            f"x from {float(low[0]):.4g} to {float(high[0]):.4g}, y from {float(low[1]):.4g} to {float(high[1]):.4g}. "
            "Are they of the photograph at another size, of another one, or from before it was turned as EXIF says?"
        )
    return ""


def _mirrored(points: Tensor, height: int, width: int) -> str:
    """Say which way the points are mirrored: faces stand upright more often than not."""
    five = points if len(points) == 5 else five_points(points)
    down = five[3:].mean(0) - five[:2].mean(0)
    if abs(float(down[0])) > abs(float(down[1])):
        return "the points are mirrored, x and y look exchanged; expected `x y`: columns first, then rows, from the top"
    if float(down[1]) < 0:
        return (
            "the points are mirrored, y looks counted upward; expected px from the top edge: "
            f"y = {height} - y (or leave out a minus sign)"
            f"{'; eyes come before the mouth' if len(points) == 5 else ''}"
        )
    return (
        "the points are mirrored, left and right look exchanged; expected the viewer's left eye and mouth corner (the "
        f"person's right) before the others. If the photograph was mirrored after they were found: x = {width} - x"
    )


def _numbers(box: Tensor) -> str:
    return " ".join(f"{value:.6g}" for value in box.flatten().tolist())
