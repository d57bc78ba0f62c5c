"""Draw `docs/frames.svg`, the frames of the conventions: `python docs/_build/draw_frames.py`.

Head and landmarks are the embedded face model's; cameras stand nearer than they do, or nothing would be seen.
"""

import html
from pathlib import Path

import matplotlib
import numpy as np
import torch
from numpy.typing import NDArray

matplotlib.use("Agg")
from matplotlib import pyplot

from mgc_lightning import load_face_model
from mgc_lightning.geometry import pose_to_transform
from mgc_lightning.pictures.landmarks import LANDMARK_GROUPS
from mgc_lightning.rendering import get_rasterizer

OUTPUT = Path(__file__).parents[1] / "frames.svg"
WIDTH, HEIGHT = 1120, 530
X, Y, Z, INK, SOFT = "#c62828", "#2e7d32", "#1565c0", "#263238", "#90a4ae"
DISTANCE = 560.0
"""From head to camera in the drawing, mm; 4994 mm at the default focal length."""
YAW, PITCH = np.deg2rad(-57.0), np.deg2rad(17.0)
"""Where the drawing looks from, in the model frame."""
SOURCE_YAW = -0.55
"""Yaw in radians of the head before the source camera."""
SCALE, ORIGIN = 0.82, np.array([600.0, 235.0])

Points = NDArray[np.float64]


def to_page(points: Points) -> Points:
    """Project model-frame points (..., 3), mm, to the page, px."""
    turn = np.array([[np.cos(YAW), 0, np.sin(YAW)], [0, 1, 0], [-np.sin(YAW), 0, np.cos(YAW)]])
    tilt = np.array([[1, 0, 0], [0, np.cos(PITCH), -np.sin(PITCH)], [0, np.sin(PITCH), np.cos(PITCH)]])
    seen = np.asarray(points, float) @ (tilt @ turn).T
    return ORIGIN + SCALE * seen[..., :2] * [1, -1]


def polyline(points: Points, colour: str, width: float = 1.5, closed: bool = False, fill: str = "none") -> str:
    """Draw a line through page points."""
    path = "M" + "L".join(f"{u:.1f} {v:.1f}" for u, v in points) + ("Z" if closed else "")
    return f'<path d="{path}" fill="{fill}" stroke="{colour}" stroke-width="{width}" stroke-linejoin="round"/>'


def text(place: Points, words: str, colour: str = INK, size: int = 16, anchor: str = "middle", italic: bool = False) -> str:
    """Write words; `_` makes the rest of a word a subscript."""
    parts = []
    for word in words.split(" "):
        stem, _, low = word.partition("_")
        lowered = f'<tspan dy="4" font-size="{size * 0.72:.0f}">{html.escape(low)}</tspan><tspan dy="-4"> </tspan>'
        parts.append(html.escape(stem) + (lowered if low else ""))
    style = ' font-style="italic"' if italic else ""
    return (
        f'<text x="{place[0]:.1f}" y="{place[1]:.1f}" fill="{colour}" font-size="{size}" text-anchor="{anchor}"{style}>'
        f"{' '.join(parts)}</text>"
    )


def arrow(start: Points, end: Points, colour: str, width: float = 2.5) -> str:
    """Draw an arrow between page points."""
    along = (end - start) / np.linalg.norm(end - start)
    across = np.array([-along[1], along[0]])
    head = np.stack([end, end - 10 * along + 4 * across, end - 10 * along - 4 * across])
    return polyline(np.stack([start, end - 8 * along]), colour, width) + polyline(head, colour, 0, True, colour)


def axes(T_model_frame: Points, length: float, labels: tuple[str, str, str], away: tuple[Points, Points, Points]) -> str:
    """Draw the axes of a frame, given by its transform to the model frame."""
    origin, drawn = T_model_frame[:3, 3], []
    for axis, (colour, label, shift) in enumerate(zip((X, Y, Z), labels, away, strict=True)):
        end = origin + length * T_model_frame[:3, axis]
        drawn += [arrow(to_page(origin), to_page(end), colour), text(to_page(end) + shift, label, colour)]
    return "".join(drawn)


def head() -> str:
    """Draw outline and landmarks of the mean head."""
    model = load_face_model()
    page = to_page(model.mean.double().numpy())
    low, fine = page.min(axis=0) - 2, 4.0
    size = np.ceil(fine * (np.ptp(page, axis=0) + 4)).astype(int)
    flat = np.concatenate([fine * (page - low), np.full((len(page), 1), DISTANCE)], axis=1)
    kernel = get_rasterizer("numba")
    winners, _ = kernel(torch.from_numpy(flat.astype(np.float32))[None], model.faces, (int(size[1]), int(size[0])))
    figure = pyplot.figure()
    segments = pyplot.contour((winners[0] >= 0).numpy(), levels=[0.5]).allsegs[0]
    pyplot.close(figure)
    outline = (max(segments, key=len)[::6] + 0.5) / fine + low
    drawn = [polyline(outline, INK, 1.5, True, "#eceff1")]
    points = to_page(model.landmarks68(model.mean).double().numpy())
    for part, closed, _ in LANDMARK_GROUPS.values():
        drawn.append(polyline(points[part], "#607d8b", 1.3, closed))
    return "".join(drawn)


def camera(yaw: float, name: str, shift: tuple[float, float]) -> str:
    """Draw a camera that looks at the head, with its image and its axes; `yaw` turns the head before it."""
    T_model_cam = _model_from_camera(yaw)
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * 46.0 + [0, 0, 120.0]
    corners = to_page(corners @ T_model_cam[:3, :3].T + T_model_cam[:3, 3])
    centre = to_page(T_model_cam[:3, 3])
    lines = [polyline(np.stack([centre, corner]), SOFT, 1) for corner in corners]
    lines.append(polyline(corners, SOFT, 1.2, True, "#ffffff80"))
    away = (np.array([0.0, -8.0]), np.array([0.0, 18.0]), np.array([0.0, -10.0]))
    return "".join(lines) + axes(T_model_cam, 78, ("x", "y", "z"), away) + text(centre + shift, name, size=17)


def _model_from_camera(yaw: float) -> Points:
    pose = torch.tensor([0.0, yaw, torch.pi, 0.0, 0.0, DISTANCE], dtype=torch.float64)
    return np.linalg.inv(pose_to_transform(pose).numpy())


def pixels(left: float, top: float, cell: float = 46.0) -> str:
    """Draw the pixels of an image of 4 x 3."""
    drawn = [text(np.array([left + 2 * cell, top - 44]), "pixels of an image, 4 x 3", size=15)]
    for row in range(3):
        for column in range(4):
            chosen = (row, column) == (1, 2)
            place = f'x="{left + column * cell:.0f}" y="{top + row * cell:.0f}" width="{cell:.0f}" height="{cell:.0f}"'
            drawn.append(f'<rect {place} fill="{"#fff3e0" if chosen else "#ffffff"}" stroke="{SOFT}"/>')
            centre = (left + (column + 0.5) * cell, top + (row + 0.5) * cell)
            drawn.append(f'<circle cx="{centre[0]:.0f}" cy="{centre[1]:.0f}" r="2.2" fill="{INK}"/>')
    corner = np.array([left, top])
    drawn += [arrow(corner, corner + [4.55 * cell, 0], X), text(corner + [4.55 * cell, -8], "u", X)]
    drawn += [arrow(corner, corner + [0, 3.6 * cell], Y), text(corner + [-12, 3.6 * cell], "v", Y)]
    drawn.append(text(corner + [-4, -8], "(0, 0)", size=13))
    drawn.append(text(corner + [4.2 * cell, 1.62 * cell], "row 1, column 2:", size=14, anchor="start"))
    drawn.append(text(corner + [4.2 * cell, 1.62 * cell + 19], "centre (2.5, 1.5)", size=14, anchor="start"))
    middle = corner + [2 * cell, 1.5 * cell]
    drawn.append(polyline(np.array([middle - [6, 0], middle + [6, 0]]), Z, 2.2))
    drawn.append(polyline(np.array([middle - [0, 6], middle + [0, 6]]), Z, 2.2))
    drawn.append(text(corner + [4.2 * cell, 2.5 * cell], "principal point:", Z, 14, "start"))
    drawn.append(text(corner + [4.2 * cell, 2.5 * cell + 19], "(W / 2, H / 2)", Z, 14, "start"))
    return "".join(drawn)


def bow(start: Points, end: Points, bend: Points, words: str, at: Points) -> str:
    """Draw a bent arrow with its name."""
    along = (end - bend) / np.linalg.norm(end - bend)
    across = np.array([-along[1], along[0]])
    triangle = np.stack([end, end - 11 * along + 4 * across, end - 11 * along - 4 * across])
    path = f"M{start[0]:.0f} {start[1]:.0f}Q{bend[0]:.0f} {bend[1]:.0f} {end[0]:.0f} {end[1]:.0f}"
    line = f'<path d="{path}" fill="none" stroke="{INK}" stroke-width="1.6" stroke-dasharray="5 4"/>'
    return line + polyline(triangle, INK, 0, True, INK) + text(at, words, size=18, italic=True)


def main() -> None:
    """Write the drawing."""
    away = (np.array([62.0, 18.0]), np.array([0.0, -8.0]), np.array([-72.0, 4.0]))
    cameras = [to_page(_model_from_camera(yaw)[:3, 3]) for yaw in (0.0, SOURCE_YAW)]
    target, source = cameras
    body = [
        head(),
        axes(np.eye(4), 165, ("x: the viewer's right", "y: up", "z: toward the viewer"), away),
        camera(0.0, "target camera", (-92.0, -14.0)),
        camera(SOURCE_YAW, "source camera", (142.0, 40.0)),
        bow(ORIGIN - [40, 70], target + [10, -20], (target + ORIGIN) / 2 - [70, 150], "T_cam_model", target + [95, -140]),
        bow(target + [-10, 82], source + [-22, 34], (target + source) / 2 + [-60, 100], "T_source_target", target + [62, 152]),
        pixels(812.0, 345.0),
    ]
    drawn = "\n".join(body)
    OUTPUT.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 60 {WIDTH} {HEIGHT - 60}" font-family="sans-serif" role="img" '
        f'aria-label="Model frame, camera frames and pixel coordinates">\n<rect y="60" width="100%" height="100%" fill="#ffffff"/>\n'
        f"{drawn}\n</svg>\n"
    )


if __name__ == "__main__":
    main()
