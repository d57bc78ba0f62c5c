"""Prepare a set of triplets: faces in chunks over processes, then groups, shards, manifest."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any, get_args

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from mgc_lightning import __version__
from mgc_lightning.arguments.verbosity import is_quiet
from mgc_lightning.errors import MGCError, check_count
from mgc_lightning.files.atomic import NotWrittenError
from mgc_lightning.files.checksum import sha256_of
from mgc_lightning.files.places import as_paths
from mgc_lightning.files.processes import begin_worker, end_workers, only_writer
from mgc_lightning.files.reading import reading
from mgc_lightning.files.text import read_json, write_json
from mgc_lightning.photographs.sources.find import find_kind, open_source
from mgc_lightning.photographs.sources.photo import Photo, PhotoSource, source_digest
from mgc_lightning.preparation.chunks import CHUNK, ChunkReport, Chunks
from mgc_lightning.preparation.claim import UNFINISHED, WORK, claim
from mgc_lightning.preparation.faces import DetectorFactory, FacePreparer, choose_detector
from mgc_lightning.preparation.official import convert_official
from mgc_lightning.preparation.report import SHEET_ROWS, histogram, summarise, write_rejected, write_sheet
from mgc_lightning.preparation.settings import FaceSettings, PrepareSettings
from mgc_lightning.triplets.grouping import Split, Triplet, form_triplets
from mgc_lightning.triplets.samples import sample_files
from mgc_lightning.triplets.shards import MANIFEST, MANIFEST_FORMAT, check_manifest, write_shard

DEFAULTS = PrepareSettings()


def prepare(
    source: PhotoSource | str | Path | Sequence[str | Path],
    output: str | Path,
    settings: PrepareSettings = DEFAULTS,
    *,
    jobs: int = 1,
    detector: DetectorFactory = choose_detector,
    console: Console | None = None,
) -> dict[str, Any]:
    r"""Prepare a set, or go on where an interrupted run stopped; the result is the same.

    Args:
        source: the photographs; or a folder, a .csv list or a data set; or videos.
        output: folder of the set: new, empty, or of an interrupted run with the same source and settings.
        settings: of faces and groups, and of how a place is read.
        jobs: processes.
        detector: makes the face detector in each process; must be picklable for several.
        console: where progress and the histogram are shown; nowhere if not given.

    Returns:
        the manifest.

    Raises:
        MGCError: if there is no source, `output` holds anything else, or cannot be written, or no photograph is usable.

    Example:
        Three photographs of one person, with the points of each in a file.

        >>> import tempfile
        >>> from mgc_lightning.losses.identity import TEMPLATE_68
        >>> from mgc_lightning.pictures.drawing import save_png
        >>> folder = Path(tempfile.mkdtemp())
        >>> for number in range(3):
        ...     _ = save_png(folder / f"photos/anna/{number}.png", torch.rand(3, 224, 224))
        ...     _ = (folder / f"photos/anna/{number}.txt").write_text("\n".join(f"{u} {v}" for u, v in TEMPLATE_68))
        >>> settings = PrepareSettings(FaceSettings(size=64, landmarks=folder / "photos"))
        >>> manifest = prepare(folder / "photos", folder / "set", settings)
        >>> manifest["summary"]["samples"], manifest["summary"]["links"]  # three moments, as far as anyone knows
        (1, {'0': 1, '1': 0, '2': 0})
    """
    check_count("jobs", jobs)
    output = Path(output)
    if not isinstance(source, PhotoSource):
        places = as_paths(source)
        found = find_kind(places, settings.kind)
        if found == "official" and len(places) > 1:
            raise MGCError(f"Expected one folder of the official layout; got {len(places)}")
        if found == "official":
            return convert_official(places[0], output, settings, console=console)
        source = open_source(places, found, settings.every)
    try:
        described = {**settings.describe(), "source": source_digest(source), "kind": source.kind}
        with only_writer(output):
            finished = claim(output, described)
            if finished is None:
                chunks = Chunks(output / WORK)
                groups = [source.photos[i : i + CHUNK] for i in range(0, len(source), CHUNK)]
                _make_faces(groups, chunks, source.root, settings.faces, jobs, detector, console)
                finished = _write_set(output, chunks, len(groups), source, settings, described, console)
    except NotWrittenError as error:
        raise NotWrittenError(f"{error}. Run again to go on from here") from error
    if console is not None:
        console.print(histogram(finished["summary"]))
    return finished


_preparer: FacePreparer | None = None


def _start_process(settings: FaceSettings, root: Path, detector: DetectorFactory) -> None:
    global _preparer
    begin_worker()
    torch.set_num_threads(1)
    _preparer = FacePreparer(settings, root, detector)


def _process(folder: Path, chunk: int, photos: Sequence[Photo]) -> ChunkReport:
    if _preparer is None:
        raise RuntimeError("the process was not started")
    return Chunks(folder).process(chunk, photos, _preparer)


def _make_faces(
    groups: list[list[Photo]],
    chunks: Chunks,
    root: Path,
    settings: FaceSettings,
    jobs: int,
    detector: DetectorFactory,
    console: Console | None,
) -> None:
    todo = [chunk for chunk in range(len(groups)) if not chunks.done(chunk)]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
               TimeElapsedColumn(), TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=console, disable=console is None or is_quiet()) as progress:
        total = sum(map(len, groups))
        before = total - sum(len(groups[chunk]) for chunk in todo)
        task = progress.add_task("photographs", total=total, completed=before, rate="")
        rejected, done, began = 0, 0, time.monotonic()
        for report in _reports(todo, groups, chunks, root, settings, jobs, detector):
            rejected += report.rejected
            progress.advance(task, report.faces + report.rejected)
            done += report.faces + report.rejected
            rate = done / max(time.monotonic() - began, 1e-3)
            progress.update(task, rate=f"{rate:.1f}/s, {rejected} refused")


def _reports(
    todo: list[int],
    groups: list[list[Photo]],
    chunks: Chunks,
    root: Path,
    settings: FaceSettings,
    jobs: int,
    detector: DetectorFactory,
) -> Iterator[ChunkReport]:
    if jobs <= 1 or len(todo) <= 1:
        preparer = FacePreparer(settings, root, detector) if todo else None
        for chunk in todo:
            yield chunks.process(chunk, groups[chunk], preparer)  # type: ignore[arg-type]
        return
    # Forked children of a process that has run torch's threads may hang.
    with ProcessPoolExecutor(
        min(jobs, len(todo)), get_context("spawn"), _start_process, (settings, root, detector)
    ) as pool:
        waiting = iter(todo)
        running: set[Future[ChunkReport]] = set()
        try:
            while True:
                # A few ahead: the queue must not hold all photographs.
                for chunk in waiting:
                    running.add(pool.submit(_process, chunks.folder, chunk, groups[chunk]))
                    if len(running) >= 2 * jobs:
                        break
                if not running:
                    return
                ended, running = wait(running, return_when=FIRST_COMPLETED)
                for future in ended:
                    yield future.result()
        except BrokenProcessPool as error:
            raise MGCError(
                "A process was killed (out of memory?). Run the same again to go on, with fewer `jobs`"
            ) from error
        except KeyboardInterrupt:
            end_workers()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def _write_set(
    output: Path,
    chunks: Chunks,
    count: int,
    source: PhotoSource,
    settings: PrepareSettings,
    described: dict[str, Any],
    console: Console | None,
) -> dict[str, Any]:
    triplets = form_triplets(chunks.faces(count), settings.grouping)
    skipped = [(name, "not a photograph", detail) for name, detail in source.skipped]
    refused = write_rejected(output / "rejected.csv", [*skipped, *chunks.rejected(count)])
    if not triplets:
        raise MGCError(
            f"No sample could be formed of {len(source)} photographs; {refused} were refused, see "
            f"{output / 'rejected.csv'}"
        )
    splits = {split: _write_split(output, split, triplets, chunks, settings) for split in get_args(Split)}
    write_sheet(output / "contact_sheet.png", [_files(t, chunks, "sheet") for t in triplets[:SHEET_ROWS]])
    manifest = {
        "format": MANIFEST_FORMAT,
        "program": f"mgc-lightning {__version__}",
        "size": settings.faces.size,
        "settings": described,
        "splits": splits,
        "summary": summarise(triplets, [*skipped, *chunks.rejected(count)], len(source)),
    }
    write_json(output / MANIFEST, manifest)
    shutil.rmtree(output / WORK)
    return manifest


def _write_split(
    output: Path, split: Split, triplets: list[Triplet], chunks: Chunks, settings: PrepareSettings
) -> list[dict[str, Any]]:
    mine = [triplet for triplet in triplets if triplet.split == split]
    entries = []
    for shard, start in enumerate(range(0, len(mine), settings.shard_samples)):
        path = output / f"{split}-{shard:06d}.tar"
        known = output / WORK / f"{path.name}.json"
        if known.is_file() and path.is_file():
            entries.append(_written_before(known, path))
            continue
        part = mine[start : start + settings.shard_samples]
        files = (_files(triplet, chunks, f"{split}-{start + i:09d}") for i, triplet in enumerate(part))
        entries.append(write_shard(path, files))
        write_json(known, entries[-1])
    return entries


def _written_before(known: Path, path: Path) -> dict[str, Any]:
    """Give the entry of a shard that an earlier run has written."""
    with reading(known, UNFINISHED):
        entry = read_json(known)
        check_manifest({"format": MANIFEST_FORMAT, "splits": {"train": [entry]}}, str(known))
        if entry["name"] != path.name or entry["sha256"] != sha256_of(path):
            raise ValueError(f"it is not of the {path.name} that is there")
        return entry


def _files(triplet: Triplet, chunks: Chunks, key: str) -> dict[str, Any]:
    return sample_files([chunks.view(face) for face in triplet.views], triplet.link, key, triplet.persons)
