"""Small sets of triplets, and the official layout, for tests."""

import json
from pathlib import Path

import torch
from PIL import Image

from mgc_lightning.structures import FaceTriplet
from mgc_lightning.triplets.samples import ViewFiles, encode_jpeg, sample_files
from mgc_lightning.triplets.shards import write_shard


def write_set(folder: Path, batch: FaceTriplet, train: int, per_shard: int = 3) -> None:
    """Write the samples of a batch: the first `train` to train on, the others for validation."""
    splits = {}
    for split, places in (("train", range(train)), ("val", range(train, len(batch.images)))):
        splits[split] = []
        for shard, start in enumerate(range(0, len(places), per_shard)):
            files = [files_of(batch, i, f"{split}-{i:04d}") for i in places[start : start + per_shard]]
            splits[split].append(write_shard(folder / f"{split}-{shard:06d}.tar", files))
    manifest = {"format": 1, "program": "a test", "size": batch.images.shape[-1], "settings": {}, "splits": splits}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def files_of(batch: FaceTriplet, index: int, key: str) -> dict:
    views = [
        ViewFiles(
            encode_jpeg(batch.images[index, v], 95),
            encode_jpeg(batch.skin[index, v], 90),
            {"name": f"{key}#{v}", "identity": key, "landmarks": batch.landmarks[index, v].tolist(), "yaw": 0.0},
        )
        for v in range(batch.images.shape[1])
    ]
    return sample_files(views, int(batch.link[index]), key, batch.persons()[index].tolist())


def write_official(folder: Path, batch: FaceTriplet) -> None:
    """Write a batch as the official data: a sub-folder a sample."""
    lines = []
    for index in range(len(batch.images)):
        sub = folder / f"person{index}"
        sub.mkdir(parents=True)
        for suffix, views in (("", batch.images[index]), ("_skin", batch.skin[index].expand(-1, 3, -1, -1))):
            strip = torch.cat([views[1], views[0], views[2]], dim=2)
            array = (strip.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
            Image.fromarray(array).save(sub / f"frame{suffix}.jpg", quality=98, subsampling=0)
        text = ["4700,0,112,0,4700,112,0,0,1"] * 3
        for view in range(3):
            text += ["68", *(f"{u},{v}" for u, v in batch.landmarks[index, view].tolist())]
        (sub / "frame_cam.txt").write_text("\n".join(text) + "\n")
        lines.append(f"{int(batch.link[index])} person{index} frame")
    (folder / "train.txt").write_text("\n".join(lines))
