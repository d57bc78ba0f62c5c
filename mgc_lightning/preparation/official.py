"""The official MGCNet layout to shards."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, get_args

import torch
from rich.console import Console

from mgc_lightning import __version__
from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import FaceModel, load_face_model
from mgc_lightning.files.processes import only_writer
from mgc_lightning.files.text import write_json
from mgc_lightning.photographs.head_pose import head_pose, yaw_degrees
from mgc_lightning.preparation.claim import claim
from mgc_lightning.preparation.report import SHEET_ROWS, histogram, summarise, write_rejected, write_sheet
from mgc_lightning.preparation.settings import PrepareSettings
from mgc_lightning.triplets.grouping import Face, Split, Triplet
from mgc_lightning.triplets.official import OfficialLayout
from mgc_lightning.triplets.samples import Sample, ViewFiles, encode_jpeg, sample_files
from mgc_lightning.triplets.shards import MANIFEST, MANIFEST_FORMAT, write_shard


def convert_official(
    root: str | Path, output: str | Path, settings: PrepareSettings, console: Console | None = None
) -> dict[str, Any]:
    """Write the samples of an official folder as shards: its crops, landmarks, skin and flags as they are.

    Raises:
        MGCError: if the folder has another layout, or `output` holds something else.

    Example:
        >>> manifest = convert_official(Path("mgcnet_data"), Path("set"), PrepareSettings())  # doctest: +SKIP
    """
    root, output = Path(root), Path(output)
    described = {"kind": "official", "source": _digest(root), "val_share": settings.grouping.val_share}
    with only_writer(output):
        finished = claim(output, described)
        if finished is not None:
            return finished
        manifest = _write(root, output, settings, described)
    if console is not None:
        console.print(histogram(manifest["summary"]))
    return manifest


def _write(root: Path, output: Path, settings: PrepareSettings, described: dict[str, Any]) -> dict[str, Any]:
    """Write the shards, the tables and last the manifest; give this."""
    splits: dict[str, list[dict[str, Any]]] = {}
    rejected: list[tuple[str, str, str]] = []
    triplets: list[Triplet] = []
    shown: list[dict[str, Any]] = []
    model = load_face_model(settings.faces.face_model)
    for split in get_args(Split):
        layout = OfficialLayout(root, split, settings.grouping.val_share)
        splits[split] = []
        for shard, start in enumerate(range(0, len(layout), settings.shard_samples)):
            files = []
            for index in range(start, min(start + settings.shard_samples, len(layout))):
                try:
                    sample = layout[index]
                except MGCError as error:
                    rejected.append(("/".join(layout.entries[index][1:]), "unreadable", str(error)))
                    continue
                views = _views(sample, model)
                files.append(sample_files(views, sample.link, f"{split}-{index:09d}", sample.person.tolist()))
                faces = tuple(Face(v.facts["name"], v.facts["identity"], "", v.facts["yaw"]) for v in views)
                triplets.append(Triplet(faces, sample.link, split))
            if files:
                splits[split].append(write_shard(output / f"{split}-{shard:06d}.tar", files))
                shown = [*shown, *files][:SHEET_ROWS]
    write_rejected(output / "rejected.csv", rejected)
    if not triplets:
        raise MGCError(f"{root}: no sample could be read; see {output / 'rejected.csv'}")
    write_sheet(output / "contact_sheet.png", shown)
    manifest: dict[str, Any] = {
        "format": MANIFEST_FORMAT,
        "program": f"mgc-lightning {__version__}",
        "size": 224,
        "settings": described,
        "splits": splits,
        "summary": summarise(triplets, rejected, 3 * (len(triplets) + len(rejected))),
    }
    write_json(output / MANIFEST, manifest)
    return manifest


def _views(sample: Sample, model: FaceModel) -> list[ViewFiles]:
    yaws = yaw_degrees(head_pose(model, sample.landmarks, sample.images.shape[-1]))
    identity = sample.name.rsplit("/", 1)[0]
    return [
        ViewFiles(
            encode_jpeg(image.float() / 255, 98),
            encode_jpeg(skin.float() / 255, 95),
            {
                "name": f"{sample.name}#{place}",
                "identity": identity,
                "capture": "",
                "yaw": round(float(yaw), 2),
                "landmarks": [[round(x, 3) for x in point] for point in points.tolist()],
            },
        )
        for place, (image, skin, points, yaw) in enumerate(
            zip(sample.images, sample.skin, sample.landmarks, torch.nan_to_num(yaws), strict=True)
        )
    ]


def _digest(root: Path) -> str:
    digest = hashlib.sha256()
    for name in ("train.txt", "val.txt"):
        if (root / name).is_file():
            digest.update((root / name).read_bytes())
    return digest.hexdigest()
