"""The work of `mgc reconstruct`: every input is done, or named with the reason."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.files.atomic import atomic_path
from mgc_lightning.photographs.detectors import make_detector
from mgc_lightning.photographs.photos import read_photo
from mgc_lightning.reconstruction.files import write_reconstruction
from mgc_lightning.reconstruction.inputs import find_inputs, name_folders
from mgc_lightning.reconstruction.meshes import write_neutral
from mgc_lightning.reconstruction.places import FaceFinder, FacePlace
from mgc_lightning.reconstruction.reconstructor import FaceReconstructor, Reconstruction
from mgc_lightning.reconstruction.same_person import refine_same_person
from mgc_lightning.reconstruction.video import video_faces, write_video_faces
from mgc_lightning.rendering.renderer import FaceRenderer


@dataclass
class RunReport:
    """Collect what became of the inputs.

    Attributes:
        done: input and its folder.
        failed: input and the reason.
        skipped: files of folders that are neither photographs nor videos.
    """

    done: list[tuple[str, str]] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def fail(self, place: Path, error: Exception) -> None:
        """Name an input that could not be used."""
        print(f"error: {error}", file=sys.stderr)
        self.failed.append((str(place), str(error)))

    def write(self, path: Path) -> None:
        """Write all of it as JSON."""
        names = {"done": ("input", "folder"), "failed": ("input", "reason"), "skipped": ("input", "reason")}
        content = {
            part: [dict(zip(keys, row, strict=True)) for row in getattr(self, part)] for part, keys in names.items()
        }
        with atomic_path(path) as temporary:
            text = json.dumps(content, indent=1, ensure_ascii=False)
            temporary.write_bytes((text + "\n").encode("utf-8", "surrogateescape"))


def reconstruct_inputs(args: argparse.Namespace) -> int:
    """Reconstruct everything that the command line names; 1 if something could not be used.

    Raises:
        MGCError: if the only input cannot be used, or the output cannot be written.
    """
    inputs = find_inputs(args.inputs)
    if args.box and len(inputs.photos) + len(inputs.videos) > 1:
        raise MGCError("--box belongs to one input; give --landmarks DIR for several, or let a detector look")
    given = args.landmarks is not None or args.box is not None
    reconstructor = FaceReconstructor.load(
        args.checkpoint,
        face_model=args.face_model,
        level=args.level,
        detector=None if given else make_detector(args.detector, args.device, args.weights),
        device=args.device,
    )
    finder = FaceFinder(reconstructor, args.landmarks, args.box, args.faces == "all")
    report = RunReport(skipped=inputs.skipped)
    alone = len(inputs.photos) + len(inputs.videos) == 1
    names = name_folders([*inputs.photos, *inputs.videos])
    if args.same_person and (len(inputs.photos) < 2 or inputs.videos or args.faces == "all" or args.box):
        raise MGCError(
            "--same-person takes two or more photographs of one face each, with landmarks or a detector, and no video; "
            f"got {len(inputs.photos)} photographs and {len(inputs.videos)} videos"
        )
    if args.one_moment and not args.same_person:
        raise MGCError("--one-moment belongs to --same-person")
    try:
        photos = _one_person if args.same_person else _photos
        photos(inputs.photos, names, reconstructor, finder, args, report, alone)
        for video, name in zip(inputs.videos, names[len(inputs.photos) :], strict=True):
            try:
                _video(video, args.output / name, reconstructor, finder, args)
                report.done.append((str(video), name))
            except MGCError as error:
                if alone:
                    raise
                report.fail(video, error)
        report.write(args.output / "report.json")
    except OSError as error:  # a full or read-only disk: no later input would fare better
        raise MGCError(f"Could not write to {args.output}: {error}") from error
    if report.failed:
        print(f"{len(report.failed)} of {len(names)} inputs could not be used: see {args.output / 'report.json'}")
    return 1 if report.failed else 0


@dataclass
class _Found:
    photo: Path
    folder: str
    image: Tensor
    place: FacePlace


def _photos(
    photos: list[Path],
    names: list[str],
    reconstructor: FaceReconstructor,
    finder: FaceFinder,
    args: argparse.Namespace,
    report: RunReport,
    alone: bool,
) -> None:
    renderer = FaceRenderer()
    for batch in _batches(photos, names, finder, args, report, alone):
        matrices = torch.stack([found.place.crop_from_image for found in batch])
        faces = reconstructor.reconstruct_aligned([found.image for found in batch], matrices)
        for found, face in zip(batch, faces, strict=True):
            _write(found, face, reconstructor, renderer, args, report)


def _write(
    found: _Found,
    face: Reconstruction,
    reconstructor: FaceReconstructor,
    renderer: FaceRenderer,
    args: argparse.Namespace,
    report: RunReport,
) -> None:
    folder = args.output / found.folder
    options: dict[str, Any] = {"neutral": args.neutral, "full_head": args.full_head}
    written = write_reconstruction(face, folder, reconstructor.face_model, renderer, **options)
    print(f"{found.photo}: {len(written)} files in {folder}", flush=True)
    report.done.append((str(found.photo), found.folder))


def _one_person(
    photos: list[Path],
    names: list[str],
    reconstructor: FaceReconstructor,
    finder: FaceFinder,
    args: argparse.Namespace,
    report: RunReport,
    alone: bool,
) -> None:
    found = [item for batch in _batches(photos, names, finder, args, report, alone) for item in batch]
    without = [item.photo.name for item in found if item.place.landmarks is None]
    if without or len(found) < 2:
        raise MGCError(
            f"Refining needs 68 landmarks in two or more photographs; "
            f"{f'{without[0]} has five' if without else f'{len(found)} could be used'}"
        )
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"refining {len(found)} photographs", total=args.steps)
        faces = refine_same_person(
            reconstructor,
            [item.image for item in found],
            [item.place.landmarks for item in found if item.place.landmarks is not None],
            one_moment=args.one_moment,
            steps=args.steps,
            on_step=lambda done, total: progress.update(task, completed=done, total=total),
        )
    for item, face in zip(found, faces, strict=True):
        _write(item, face, reconstructor, FaceRenderer(), args, report)
    path = write_neutral(faces[0], args.output / "neutral.obj", reconstructor.face_model)
    print(f"the face that all of them share, without expression: {path}")


def _batches(
    photos: list[Path], names: list[str], finder: FaceFinder, args: argparse.Namespace, report: RunReport, alone: bool
) -> Iterator[list[_Found]]:
    """Read and locate a few faces at a time, so that memory does not grow with the number of photographs."""
    batch: list[_Found] = []
    for photo, name in zip(photos, names, strict=False):
        try:
            image = read_photo(photo)
            places = finder.find(image, photo, len(photos))
        except MGCError as error:
            if alone:
                raise
            report.fail(photo, error)
            continue
        for number, place in enumerate(places, start=1):
            batch.append(_Found(photo, name if number == 1 else f"{name}_face{number}", image, place))
            if len(batch) >= args.batch_size:
                yield batch
                batch = []
    if batch:
        yield batch


def _video(
    video: Path, folder: Path, reconstructor: FaceReconstructor, finder: FaceFinder, args: argparse.Namespace
) -> None:
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        tasks: dict[str, Any] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(f"{video.name}: {stage}", total=total)
            progress.update(tasks[stage], completed=done, total=total)

        def locate(image: Tensor, frame: int, last: Tensor | None) -> Tensor | None:
            return finder.follow(image, frame, last, video)

        faces = video_faces(video, reconstructor, locate, args.smooth, report)
        written = write_video_faces(faces, reconstructor, folder, args.neutral, report)
    missing = int((~faces.known).sum())
    print(f"{video}: {len(written)} files in {folder}; {missing} of {len(faces.known)} frames without a face")
