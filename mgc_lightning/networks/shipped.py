"""The networks that come with the package: where they lie, and what is known of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgc_lightning.errors import MGCError, not_among

FOLDER = Path(__file__).parent / "data"
"""A folder a network: weights, ONNX, card and a page for readers."""
DEFAULT = "mgc-small"
"""The network that is used where none is named."""
WEIGHTS, ONNX, CARD = "network.safetensors", "network.onnx", "card.json"


@dataclass(frozen=True)
class ShippedNetwork:
    """Describe a network that comes with the package.

    Attributes:
        name: its folder's.
        folder: takes the place of a checkpoint's path.
        card: what is known of it: `image_size`, `face_model`, `licence`, `training`, `scores`, ...
    """

    name: str
    folder: Path
    card: dict[str, Any]

    @property
    def megabytes(self) -> float:
        """Size of weights and ONNX together."""
        return sum(f.stat().st_size for f in (self.folder / WEIGHTS, self.folder / ONNX) if f.is_file()) / 1e6

    def __str__(self) -> str:
        """Give name, size, input, face model, licence and scores, a line each."""
        face_model, found = self.card["face_model"], self.card.get("calibrated")
        lines = [
            f"{self.name}: {self.megabytes:.1f} MB, {self.card['parameters'] / 1e6:.1f} million weights, "
            f"crops of {self.card['image_size']} px" + (" (default)" if self.name == DEFAULT else ""),
            f"    face model {face_model['name']}: {face_model['licence']}",
            f"    weights: {self.card.get('licence', 'licence not given')}",
            *([f"    calibrated on {found['photographs']} photographs: {found['source']}"] if found else []),
            *(f"    {line}" for line in map(score_line, self.card.get("scores", []))),
            f"    {self.folder}",
        ]
        return "\n".join(lines)


def score_line(row: dict[str, Any]) -> str:
    """Say one score of a card beside the mean face's.

    Example:
        >>> score_line({"what": "neutral error, mm", "on": "512 synthetic faces", "network": 1.4, "mean_face": 2.3})
        'neutral error, mm, on 512 synthetic faces: 1.4 (mean face 2.3)'
    """
    beside = "" if row.get("mean_face") is None else f" (mean face {row['mean_face']:.3g})"
    return f"{row['what']}, on {row['on']}: {row['network']:.3g}{beside}"


def shipped_networks() -> list[ShippedNetwork]:
    """List the networks that come with the package, the default first; a checkout without weights has none.

    Example:
        >>> [network.name for network in shipped_networks()]
        ['mgc-small']
    """
    cards = {name: json.loads((FOLDER / name / CARD).read_text(encoding="utf-8")) for name in shipped_names()}
    found = [ShippedNetwork(name, FOLDER / name, card) for name, card in cards.items()]
    return sorted(found, key=lambda network: network.name != DEFAULT)


def shipped_names() -> list[str]:
    """List the names of the networks that come with the package."""
    return sorted(path.parent.name for path in FOLDER.glob(f"*/{WEIGHTS}"))


def shipped_network(name: str = DEFAULT) -> Path:
    """Give the folder of a network that comes with the package.

    Raises:
        MGCError: if it is not here.
    """
    if (FOLDER / name / WEIGHTS).is_file():
        return FOLDER / name
    if shipped_names():
        raise MGCError(not_among("The network", name, shipped_names()))
    raise MGCError(
        f"The weights `{name}`, which are used where no `checkpoint` is given, are not at {FOLDER / name}: wheels have "
        "them, this checkout does not. Install a wheel (pip install mgc-lightning), give a `checkpoint`, or make them: "
        "python -m tools.ship_network pack --checkpoint PATH"
    )
