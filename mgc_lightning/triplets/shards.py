"""Shards of samples: tar files as webdataset writes and reads them, with a manifest; local or in object storage.

A set is a folder or a URL that fsspec knows (`s3://bucket/set`): `manifest.json` and `train-000000.tar`, ... Any
program that reads webdataset's layout can stream it; here a sample is found by shard and number, so that runs resume
exactly. Nothing is held in memory but the offsets of the shards in use. A shard's content is compared with the hash in
the manifest when a process first opens it.
"""

from __future__ import annotations

import bisect
import functools
import hashlib
import io
import itertools
import os
import re
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import webdataset
from webdataset.tariterators import group_by_keys, tar_file_iterator

from mgc_lightning.errors import MGCError
from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.files.checksum import sha256_of
from mgc_lightning.files.names import inside, safe_name
from mgc_lightning.files.places import cache_folder
from mgc_lightning.files.reading import excerpt, reading, reason
from mgc_lightning.files.text import parse_json
from mgc_lightning.triplets.grouping import Split
from mgc_lightning.triplets.samples import Sample, decode_sample

MANIFEST = "manifest.json"
MANIFEST_FORMAT = 1
OPEN_SHARDS = 32
"""Shards whose offsets are kept in memory."""
MANIFEST_BYTES = 2**28
"""Of a manifest that are read; one of a million shards has half as many."""
MOST_SAMPLES = 10**9
_SHA256 = re.compile(r"[0-9a-f]{64}")


def write_shard(path: str | Path, samples: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Write a shard, whole or not at all; the same samples give the same bytes.

    Returns:
        its entry in the manifest: name, samples, bytes, sha256.

    Example:
        >>> import tempfile
        >>> entry = write_shard(Path(tempfile.mkdtemp()) / "train-000000.tar", [{"__key__": "0", "json": b"{}"}])
        >>> entry["name"], entry["samples"]
        ('train-000000.tar', 1)
    """
    path = Path(path)
    count = 0
    with atomic_path(path) as temporary:
        with webdataset.TarWriter(str(temporary), encoder=False, user="mgc", group="mgc", mode=0o644, mtime=0) as tar:
            for files in samples:
                tar.write(files)
                count += 1
        entry = {"name": path.name, "samples": count, "bytes": temporary.stat().st_size, "sha256": sha256_of(temporary)}
    return entry


class ShardSet:
    """Read the samples of one split of a set.

    Args:
        place: folder or URL.
        split: the part of the set.
        cache: folder for shards of a remote set; the user's cache if not given.
        cache_gb: the oldest cached shards are removed beyond this size.

    Attributes:
        manifest: the set's.
        counts: samples of each shard.

    Raises:
        MGCError: if there is no set, or it is not finished, or has no such split.

    Example:
        >>> import json, tempfile, torch
        >>> from mgc_lightning.triplets.samples import ViewFiles, encode_jpeg, sample_files
        >>> picture, skin = encode_jpeg(torch.rand(3, 8, 8), 95), encode_jpeg(torch.ones(1, 8, 8), 95)
        >>> view = ViewFiles(picture, skin, {"name": "anna/1", "landmarks": [[1.0, 2.0]] * 68})
        >>> folder = Path(tempfile.mkdtemp())
        >>> shard = write_shard(folder / "train-0.tar", [sample_files([view] * 3, link=2, key="0001")])
        >>> _ = (folder / MANIFEST).write_text(json.dumps({"format": 1, "splits": {"train": [shard]}}))
        >>> samples = ShardSet(folder, "train")
        >>> len(samples), samples[0].images.shape, samples[0].link
        (1, torch.Size([3, 3, 8, 8]), 2)
    """

    def __init__(
        self, place: str | Path, split: Split, cache: str | Path | None = None, cache_gb: float = 50.0
    ) -> None:
        self.place, self.split = str(place).rstrip("/"), split
        self.local = "://" not in self.place
        self.manifest = read_manifest(self.place)
        self.shards: list[dict[str, Any]] = self.manifest["splits"].get(split, [])
        self.counts = [int(shard["samples"]) for shard in self.shards]
        self._ends = list(itertools.accumulate(self.counts))
        name = hashlib.sha256(self.place.encode()).hexdigest()[:16]
        self.cache = Path(cache or cache_folder() / "shards") / name
        self.cache_bytes = cache_gb * 1e9
        self._checked: set[int] = set()

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: int) -> Sample:
        """Read a sample by its number in the split.

        Raises:
            MGCError: if its shard is missing or damaged.
        """
        shard = bisect.bisect_right(self._ends, index)
        return self.read(shard, index - (self._ends[shard - 1] if shard else 0))

    def read(self, shard: int, number: int) -> Sample:
        """Read a sample by shard and number."""
        path = self._fetch(shard)
        with reading(path, f"sample {number} cannot be read"):
            offsets = _offsets(str(path), path.stat().st_size)
            with open(path, "rb") as stream:
                stream.seek(int(offsets[number]))
                data = stream.read(int(offsets[number + 1] - offsets[number]))
            members = tar_file_iterator(io.BytesIO(data))
            files = next(group_by_keys({**member, "__url__": str(path)} for member in members))
        return decode_sample(files)

    def _fetch(self, shard: int) -> Path:
        """Give a shard whose content is what the manifest says."""
        name, digest = self.shards[shard]["name"], self.shards[shard].get("sha256")
        path = inside(self.place if self.local else self.cache, name, MANIFEST)
        if not self.local and digest is None:
            raise MGCError(f"{self.place}/{MANIFEST}: gives no sha256 of {name}; a set that is fetched needs it")
        if not self.local and not path.is_file():
            self._download(f"{self.place}/{name}", path, str(digest))
            self._checked.add(shard)
        if digest is not None and shard not in self._checked:
            with reading(path, "the shard cannot be read"):
                whole = sha256_of(path) == digest
            if not whole:
                remedy = "copy or prepare the set again" if self.local else "delete it: it is fetched again"
                raise MGCError(f"{path}: its content is not what the manifest says, it is damaged; {remedy}")
            self._checked.add(shard)
        return path

    def _download(self, url: str, path: Path, digest: str) -> None:
        try:
            with atomic_path(path) as temporary:
                with fsspec.open(url, "rb") as source, open(temporary, "wb") as target:
                    while block := source.read(1 << 22):
                        target.write(block)
                if sha256_of(temporary) != digest:
                    raise MGCError(f"{url}: its content is not what the manifest says; copy the set again")
        except (OSError, ImportError) as error:
            raise MGCError(f"{url}: could not be fetched ({reason(error)})") from error
        kept = sorted(self.cache.glob("*.tar"), key=lambda file: file.stat().st_mtime, reverse=True)
        total = 0
        for file in kept:
            total += file.stat().st_size
            if total > self.cache_bytes and file != path:
                file.unlink(missing_ok=True)


def read_manifest(place: str) -> dict[str, Any]:
    """Read the manifest of a set.

    Raises:
        MGCError: if it is missing, damaged, or of a later format.
    """
    url = f"{place}/{MANIFEST}" if "://" in place else os.path.join(place, MANIFEST)
    try:
        with fsspec.open(url, "rb") as stream:
            manifest = parse_json(stream.read(MANIFEST_BYTES), url)
    except (OSError, ImportError, ValueError) as error:
        raise MGCError(
            f"{place}: no finished set of triplets here ({error}). `mgc prepare SOURCE --output DIR` makes one; run "
            "it again if it was interrupted"
        ) from error
    if isinstance(manifest, dict) and isinstance(manifest.get("format"), int) and manifest["format"] > MANIFEST_FORMAT:
        raise MGCError(
            f"{url}: written by a later version of this program ({excerpt(str(manifest.get('program')))}); update it"
        )
    check_manifest(manifest, url)
    return manifest


def check_manifest(manifest: Any, url: str) -> None:
    """Make sure of every field that is used: who wrote the file is not known.

    Raises:
        MGCError: with the split and the shard.
    """
    splits = manifest.get("splits") if isinstance(manifest, dict) else None
    if not isinstance(splits, dict) or "train" not in splits or not isinstance(manifest.get("format"), int):
        raise MGCError(f"{url}: damaged: expected an object with `format` and `splits`, `train` among these")
    for split, shards in splits.items():
        place = f"{url}, split {excerpt(repr(split))}"
        if not isinstance(shards, list) or not all(isinstance(shard, dict) for shard in shards):
            raise MGCError(f"{place}: damaged: expected a list of shards")
        for number, shard in enumerate(shards):
            safe_name(shard.get("name"), f"{place}, shard {number}")
            count, digest = shard.get("samples"), shard.get("sha256")
            if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count < MOST_SAMPLES:
                raise MGCError(
                    f"{place}, shard {number}: damaged: expected a count `samples`, got {excerpt(repr(count))}"
                )
            if digest is not None and not (isinstance(digest, str) and _SHA256.fullmatch(digest)):
                raise MGCError(f"{place}, shard {number}: damaged: expected 64 hexadecimal digits `sha256`")


@functools.lru_cache(maxsize=OPEN_SHARDS)
def _offsets(path: str, size: int) -> np.ndarray:
    """Find where samples begin in a shard: (samples + 1,) bytes."""
    starts: list[int] = []
    last = None
    end = 0
    with tarfile.open(path, "r:") as tar:  # as it is written: what unpacks itself could unpack to anything
        for member in tar:
            key = member.name.split(".", 1)[0]
            if key != last:
                starts.append(member.offset)
                last = key
            end = member.offset_data + -(-member.size // 512) * 512
            tar.members = []  # type: ignore[attr-defined]
    return np.array([*starts, end], dtype=np.int64)
