"""Make the network that comes with the package, and fill the scores of its card.

    python -m tools.ship_network pack --checkpoint PATH
    python -m tools.ship_network scores --faces 512 --scans scans/scores.json

`pack` writes float16 weights, and ONNX that reads them from the same file, into the package, and measures how far both
are from the float32 network on synthetic faces that it has not seen. `scores` measures on such faces too, takes NoW's
medians from the JSON of `mgc benchmark scan`, and writes card and page anew. What is known of the training comes from
the checkpoint and its config.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.scan.crops import TITLES
from mgc_lightning.evaluation.scan.faces import ALONE, DIFFERENT_LIGHT, ONE_MOMENT, REFINED
from mgc_lightning.evaluation.scan.references import LIMIT, MEAN_FACE
from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.files.checkpoints import read_checkpoint
from mgc_lightning.files.text import write_json
from mgc_lightning.metrics.reconstruction import BASELINE, ReconstructionScores
from mgc_lightning.networks.face_network import FaceNetwork
from mgc_lightning.networks.files import load_network
from mgc_lightning.networks.packing import PackReport, pack_network
from mgc_lightning.networks.shipped import CARD, DEFAULT, FOLDER, ShippedNetwork
from mgc_lightning.rendering.renderer import FaceRenderer
from mgc_lightning.scene import render_views
from mgc_lightning.structures import FaceTriplet
from mgc_lightning.synthetic.dataset import make_triplets
from mgc_lightning.synthetic.settings import SyntheticSettings

LIMIT_MB = 12.0
"""Weights and ONNX together: a wheel stays small."""
PARTS = 4
"""Disjoint parts of the synthetic faces, whose spread is told."""
FACTS = {
    "neutral": "neutral 3D error, mm",
    "posed": "posed 3D error, mm",
    "nme": "landmarks, NME, %",
    "rotation": "rotation, degrees",
}
METHODS = {
    ALONE: "single photographs",
    REFINED: "single photographs, refined,",
    DIFFERENT_LIGHT: "three photographs in different light",
    ONE_MOMENT: "photographs of one moment",
}


def main() -> None:
    """Pack, or fill in scores."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    pack = commands.add_parser("pack")
    pack.add_argument("--checkpoint", type=Path, required=True)
    pack.add_argument("--config", default="pretrain", help="name of the config that it was trained by")
    pack.add_argument("--note", help="what else is to know of the training, such as the steps of earlier runs")
    pack.add_argument("--images", type=int, default=64, help="synthetic faces on which differences are measured")
    scores = commands.add_parser("scores")
    scores.add_argument("--faces", type=int, default=512, help="synthetic faces; 0 for none")
    scores.add_argument("--scans", type=Path, nargs="*", default=[], help="JSON files of `mgc benchmark scan`")
    for command in (pack, scores):
        command.add_argument("--name", default=DEFAULT)
    args = parser.parse_args()
    if args.command == "pack":
        print(pack_checkpoint(args.checkpoint, FOLDER / args.name, args.config, args.images, args.note))
    else:
        rows = synthetic_scores(load_network(FOLDER / args.name), args.faces) if args.faces else []
        write_scores(FOLDER / args.name, rows + [row for file in args.scans for row in scan_scores(file)])
        print((FOLDER / args.name / "README.md").read_text(encoding="utf-8"))


def pack_checkpoint(
    checkpoint: Path, folder: Path, config: str = "pretrain", images: int = 64, note: str | None = None
) -> PackReport:
    """Pack a checkpoint into a folder of the package, with a card that has no scores yet.

    Args:
        checkpoint: any that `load_network` takes.
        folder: of the network; what lies there is replaced, but for the text of its page.
        config: name of the config that it was trained by.
        images: on how many unseen synthetic faces differences are measured; on noise if 0.
        note: what else is to know of the training.

    Raises:
        MGCError: if it is too large.
    """
    network = load_network(checkpoint)
    training: dict[str, Any] = {"config": f"configs/{config}.yaml"}
    if checkpoint.suffix == ".ckpt":
        training["steps"] = int(read_checkpoint(checkpoint).get("global_step", 0))
    if note:
        training["note"] = note
    card = {"name": folder.name, "licence": "Apache-2.0", "training": training, "scores": []}
    if network.calibrated is not None:
        card["calibrated"] = network.calibrated.to_dict()
    faces = unseen(network, range(images)).images[:, 0] if images else None
    report = pack_network(network, folder, card, faces)
    if report.megabytes > LIMIT_MB:
        raise MGCError(f"{report.folder}: {report.megabytes:.1f} MB, at most {LIMIT_MB:g} MB come with the package")
    fill_page(folder)
    return report


def unseen(network: FaceNetwork, indices: Iterable[int]) -> FaceTriplet:
    """Make synthetic faces of the test stream, in pictures that differ as photographs do, a view each."""
    settings = SyntheticSettings.photographic()
    size, focal = network.image_size, network.focal
    return make_triplets(network.face_model, indices, image_size=size, focal=focal, settings=settings, views=1)


@torch.no_grad()
def synthetic_scores(network: FaceNetwork, count: int) -> list[dict[str, Any]]:
    """Score on unseen synthetic faces, beside the mean face; the spread is the standard deviation between parts."""
    model, parts = network.face_model, []
    renderer = FaceRenderer()
    for part in range(PARTS):
        scores = ReconstructionScores(model.face_mask, model.mean, model.landmarks68(model.mean), network.main_pose)
        batch = unseen(network, range(part, count, PARTS))
        coefficients = network.coefficients(batch.images[:, 0]).map(lambda group: group[:, None])
        views = render_views(coefficients, model, renderer, batch.K, network.image_size)
        scores.update(views, model.shape(views.coefficients.identity), batch)
        parts.append(scores.compute())
    return [
        {
            "what": what,
            "on": f"{count} unseen synthetic faces",
            "network": float(np.mean([found[key] for found in parts])),
            "mean_face": float(np.mean([found[f"{key}_{BASELINE}"] for found in parts])),
            "spread": float(np.std([found[key] for found in parts], ddof=1)),
        }
        for key, what in FACTS.items()
    ]


def scan_scores(file: Path) -> list[dict[str, Any]]:
    """Read NoW's medians of single photographs of head scans; the spread is the standard deviation between heads."""
    heads = json.loads(file.read_text(encoding="utf-8"))["heads"]
    found = []
    for (method, of), (column, title) in itertools.product(METHODS.items(), TITLES.items()):
        means, network, limit = [], [], []
        for head in heads:
            medians = [s["median"] for s in head["scores"] if s["method"] == method and s["column"] == column]
            if medians:
                network.append(float(np.mean(medians)))
                means.append(next(s["median"] for s in head["scores"] if s["method"] == MEAN_FACE))
                limit.append(next(s["median"] for s in head["scores"] if s["method"] == LIMIT))
        if network:
            several = {"spread": float(np.std(network, ddof=1))} if len(network) > 1 else {}
            found.append(
                {
                    "what": f"NoW median, mm, {title}",
                    "on": f"{of} of {len(network)} head scan{'s' if len(network) > 1 else ''}",
                    "network": float(np.mean(network)),
                    "mean_face": float(np.mean(means)),
                    "limit": float(np.mean(limit)),
                    **several,
                }
            )
    return found


def write_scores(folder: Path, rows: list[dict[str, Any]]) -> None:
    """Put scores into the card, and into the page."""
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    card["scores"] = rows
    write_json(folder / CARD, card)
    fill_page(folder)


def fill_page(folder: Path) -> None:
    """Write facts and scores between the marks of the page for readers, where there is one."""
    page = folder / "README.md"
    if not page.is_file():
        return
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    text = page.read_text(encoding="utf-8")
    for mark, content in (("facts", facts(folder, card)), ("scores", table(card["scores"]))):
        block = f"<!-- {mark} -->\n{content}\n<!-- end of {mark} -->"
        text = re.sub(rf"<!-- {mark} -->.*?<!-- end of {mark} -->", lambda _, b=block: b, text, flags=re.DOTALL)
    with atomic_path(page) as temporary:
        temporary.write_text(text, encoding="utf-8")


def facts(folder: Path, card: dict[str, Any]) -> str:
    """Give what is known of the network as a table."""
    differs = card["float16_differs"]["safetensors"]
    rows = {
        "files": f"`network.safetensors` (float16) and `network.onnx`, "
        f"{ShippedNetwork(folder.name, folder, card).megabytes:.1f} MB together",
        "weights": f"{card['parameters'] / 1e6:.2f} million",
        "input": f"aligned crops of {card['image_size']} px, RGB in [0, 1]",
        "float16 against float32": f"{differs['verts']:.4f} mm and {differs['landmarks']:.4f} px at most",
        "training": f"`{card['training']['config']}`"
        + (f", {card['training']['steps']:,} steps" if "steps" in card["training"] else "")
        + (f", {card['training']['note']}" if "note" in card["training"] else ""),
    }
    if "calibrated" in card:
        rows["calibrated on"] = f"{card['calibrated']['photographs']} photographs: {card['calibrated']['source']}"
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])


def table(rows: list[dict[str, Any]]) -> str:
    """Give scores as a table beside the mean face."""
    if not rows:
        return "Not measured yet."
    lines = ["| | on | network | mean face |", "|---|---|---|---|"]
    for row in rows:
        spread = f" +- {row['spread']:.2g}" if "spread" in row else ""
        limit = f" (limit of the face model {row['limit']:.3g})" if "limit" in row else ""
        beside = "" if row.get("mean_face") is None else f"{row['mean_face']:.3g}"
        lines.append(f"| {row['what']} | {row['on']} | {row['network']:.3g}{spread} | {beside}{limit} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
