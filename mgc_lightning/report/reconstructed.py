"""The section of what `mgc reconstruct` has written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mgc_lightning.errors import MGCError
from mgc_lightning.files.names import inside
from mgc_lightning.files.reading import reading
from mgc_lightning.files.text import read_json
from mgc_lightning.report.faces import mesh_figure, picture_figure
from mgc_lightning.report.markup import Html, folded, join, table, tag

REPORT = "report.json"
MOST_FACES = 24
"""That are shown."""


def is_reconstructed(folder: Path) -> bool:
    """Tell whether a folder was written to by `mgc reconstruct`."""
    file = folder / REPORT
    if not file.is_file():
        return False
    content = read_json(file)
    return isinstance(content, dict) and {"done", "failed", "skipped"} <= content.keys()


def reconstructed_section(folder: Path) -> Html:
    """Show faces, each on its photograph and turning, and name what could not be used.

    Raises:
        MGCError: if its report.json is not as it should be.
    """
    path = folder / REPORT
    content = read_json(path)
    with reading(path, "is not as `mgc reconstruct` writes it"):
        done: list[dict[str, Any]] = content["done"]
        refused = [[row["input"], row["reason"]] for part in ("failed", "skipped") for row in content[part]]
        figures = [_face(folder, row, path) for row in done[:MOST_FACES]]
        many = f"The first {MOST_FACES} of {len(done)} faces." if len(done) > MOST_FACES else f"{len(done)} faces."
        note = f"{many} Drag to turn, wheel to zoom, double click to begin again."
        parts = [
            tag("h2", f"Faces: {folder.resolve().name}"),
            tag("p", note, class_="note"),
            tag("div", *figures, class_="grid"),
        ]
        if refused:
            parts.append(folded(f"{len(refused)} inputs could not be used", table(["input", "why"], refused, 2)))
        return join(parts)


def _face(folder: Path, row: dict[str, Any], source: Path) -> Html:
    place = inside(folder, row["folder"], source)
    name = Path(str(row["input"])).name
    shown = []
    for stem in ("overlay", "sheet", "crop_overlay"):
        files = [place / f"{stem}{suffix}" for suffix in (".png", ".jpg") if (place / f"{stem}{suffix}").is_file()]
        if files:
            shown.append(picture_figure(files[0], name, 640))
            break
    how = "refined" if row.get("refined") else "as the network predicts it"
    caption = f"{name}, {how}{', by the face mesh too' if row.get('mesh') else ''}"
    mesh = next((place / f"face{suffix}" for suffix in (".ply", ".obj") if (place / f"face{suffix}").is_file()), None)
    if mesh is not None:
        shown.append(mesh_figure(mesh, caption, 300))
    if not shown:
        raise MGCError(f"{place}: there is neither a picture nor a mesh to show")
    return tag("figure", *shown)
