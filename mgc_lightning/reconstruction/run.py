"""From photographs and videos to files of faces: every input is done, or named with the reason."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.files.atomic import NotWrittenError
from mgc_lightning.networks.predictor import as_predictor
from mgc_lightning.networks.settings import NetworkSource
from mgc_lightning.photographs.conventions import slides
from mgc_lightning.photographs.detectors import make_detector
from mgc_lightning.photographs.photos import read_photo
from mgc_lightning.reconstruction.files import write_reconstruction
from mgc_lightning.reconstruction.inputs import Inputs, find_inputs, free_name, name_folders
from mgc_lightning.reconstruction.meshes import write_neutral
from mgc_lightning.reconstruction.places import FaceFinder, FacePlace
from mgc_lightning.reconstruction.reconstructor import FaceReconstructor
from mgc_lightning.reconstruction.refinement import refine
from mgc_lightning.reconstruction.report import Done, Refused, RunReport
from mgc_lightning.reconstruction.result import Reconstruction
from mgc_lightning.reconstruction.rig import write_rig, write_video_rig
from mgc_lightning.reconstruction.same_person import refine_same_person
from mgc_lightning.reconstruction.settings import LEAN, OUTPUT, PARTS, ReconstructSettings
from mgc_lightning.reconstruction.video import VideoFaces, video_faces, write_video_faces
from mgc_lightning.rendering.renderer import FaceRenderer

DEFAULTS = ReconstructSettings()
OnResult = Callable[[Done | Refused], None]
"""Is told of every face that is written, with the face itself, and of every input that could not be used."""
OnStep = Callable[[str, int, int], None]
"""Is told in long work what is done: its name, the steps that are done, and how many there are."""


def reconstruct(
    inputs: str | Path | Sequence[str | Path],
    output: str | Path = OUTPUT,
    network: FaceReconstructor | NetworkSource | str | Path | None = None,
    settings: ReconstructSettings = DEFAULTS,
    *,
    keep_faces: bool = False,
    on_result: OnResult = lambda _: None,
    on_step: OnStep = lambda *_: None,
) -> RunReport:
    """Reconstruct the faces of photographs and videos, and write pictures, meshes, landmarks and coefficients.

    Args:
        inputs: photographs, videos, folders of them, patterns like `photos/*.jpg`.
        output: folder to write to, with a sub-folder for each face and a report.json.
        network: a checkpoint or an export, by its path or with its face model and device; or what is loaded already;
            the network that comes with the package if not given.
        settings: where the faces are, whose they are, what is written.
        keep_faces: keep every face in the report; photographs take memory, 12 bytes a pixel.
        on_result: called with each face, and each input that fails.
        on_step: called while videos and refinements go on.

    Returns:
        What was written, what could not be used, and what was skipped, by input. Where one of several inputs cannot
        be used the others are done all the same.

    Raises:
        MGCError: if the only input cannot be used, nothing is found, or the output cannot be written.

    Example:
        >>> report = reconstruct("holiday/", "faces/", "best.ckpt", keep_faces=True)  # doctest: +SKIP
        >>> {done.input.name: done.face.coefficients.identity.shape for done in report.done}  # doctest: +SKIP
        {'beach.jpg': torch.Size([80])}
    """
    found = find_inputs([inputs] if isinstance(inputs, str | Path) else inputs)
    _check(found, settings)
    reconstructor = _load(network, settings)
    run = _Run(reconstructor, settings, RunReport(Path(output)), found, keep_faces, on_result, on_step)
    run.report.skipped += [Refused(Path(file), reason) for file, reason in found.skipped]
    run.photographs()
    run.videos()
    run.report.write()
    return run.report


def _check(found: Inputs, settings: ReconstructSettings) -> None:
    photos, videos = len(found.photos), len(found.videos)
    if not photos + videos + len(found.skipped):
        raise MGCError("There is no photograph and no video: `inputs` is empty, or matches nothing")
    if settings.box and photos + videos > 1:
        raise MGCError("`box` belongs to one input; for several give a folder as `landmarks`, or let a detector look")
    if settings.same_person and (photos < 2 or videos or settings.faces == "all" or settings.box):
        raise MGCError(
            "`same_person=True` takes two or more photographs of one face each, with `landmarks` or a detector, and no "
            f"video; got {photos} photographs and {videos} videos"
        )


def _load(
    network: FaceReconstructor | NetworkSource | str | Path | None, settings: ReconstructSettings
) -> FaceReconstructor:
    given = settings.landmarks is not None or settings.box is not None
    if isinstance(network, FaceReconstructor):
        if given or network.detector is not None:
            return network
        detector = make_detector(settings.detector, str(network.device), settings.weights)
        return FaceReconstructor(network.predictor, detector, network.device)
    predictor = as_predictor(network)
    if given:
        return FaceReconstructor(predictor, None, predictor.device)
    detector = make_detector(settings.detector, str(predictor.device), settings.weights)
    return FaceReconstructor(predictor, detector, predictor.device)


@dataclass
class _Found:
    photo: Path
    folder: str
    image: Tensor
    place: FacePlace


class _Run:
    def __init__(
        self,
        reconstructor: FaceReconstructor,
        settings: ReconstructSettings,
        report: RunReport,
        inputs: Inputs,
        keep_faces: bool,
        on_result: OnResult,
        on_step: OnStep,
    ) -> None:
        self.reconstructor, self.settings, self.report, self.inputs = reconstructor, settings, report, inputs
        self.keep_faces, self.on_result, self.on_step = keep_faces, on_result, on_step
        self.finder = FaceFinder(reconstructor, settings, settings.mesh if settings.refine else "no")
        self.renderer = FaceRenderer()
        files = [*inputs.photos, *inputs.videos]
        self.names = dict(zip(files, name_folders(files), strict=True))
        self.taken = {name.casefold() for name in self.names.values()}

    def photographs(self) -> None:
        """Reconstruct photographs a few at a time, or all of them as one person's."""
        if self.settings.same_person:
            self._one_person()
            return
        for batch in self._batches():
            matrices = torch.stack([found.place.crop_from_image for found in batch])
            detected = [found.place.landmarks for found in batch]
            meshes = [found.place.mesh for found in batch]
            images = [found.image for found in batch]
            faces = self.reconstructor.reconstruct_aligned(images, matrices, detected, meshes)
            self._write(batch, self._refined(faces) if self.settings.refine else faces)

    def _refined(self, faces: list[Reconstruction]) -> list[Reconstruction]:
        """Refine those of which 68 landmarks are known."""
        known = [face for face in faces if face.detected is not None]
        refined = iter(refine(self.reconstructor, known, sliding_jaw=self._sliding_jaw))
        return [face if face.detected is None else next(refined) for face in faces]

    @property
    def _sliding_jaw(self) -> bool:
        return self.settings.landmarks is not None and slides(self.settings.convention)

    def videos(self) -> None:
        """Reconstruct videos one by one."""
        for video in self.inputs.videos:
            folder = self.report.output / self.names[video]
            try:
                faces = self._video(video)
                files = write_video_faces(
                    faces, self.reconstructor, folder, self.settings.neutral, self._steps_of(video)
                )
                if self.settings.rig:
                    parts = (faces.coefficients, faces.matrices, faces.known, faces.times)
                    files.append(write_video_rig(*parts, folder, self.reconstructor.face_model))
            except NotWrittenError:  # no later input would fare better
                raise
            except MGCError as error:
                self._refuse(video, error)
            else:
                self._done(Done(video, folder, files, faces))

    def _video(self, video: Path) -> VideoFaces:
        def locate(image: Tensor, frame: int, last: Tensor | None) -> Tensor | None:
            return self.finder.follow(image, frame, last, video)

        return video_faces(video, self.reconstructor, locate, self.settings.smooth, self._steps_of(video))

    def _steps_of(self, video: Path) -> OnStep:
        return lambda stage, done, total: self.on_step(f"{video.name}: {stage}", done, total)

    def _one_person(self) -> None:
        found = [item for batch in self._batches() for item in batch]
        without = [item.photo.name for item in found if item.place.landmarks is None]
        if without or len(found) < 2:
            raise MGCError(
                f"Refining needs 68 landmarks in two or more photographs; "
                f"{f'{without[0]} has five' if without else f'{len(found)} could be used'}"
            )
        faces = refine_same_person(
            self.reconstructor,
            [item.image for item in found],
            [item.place.landmarks for item in found if item.place.landmarks is not None],
            meshes=[item.place.mesh for item in found],
            one_moment=self.settings.one_moment,
            sliding_jaw=self._sliding_jaw,
            steps=self.settings.steps,
            on_step=lambda done, total: self.on_step(f"refining {len(found)} photographs", done, total),
        )
        self._write(found, faces)
        model = self.reconstructor.face_model
        self.report.shared = write_neutral(faces[0], self.report.output / "neutral.obj", model)

    def _batches(self) -> Iterator[list[_Found]]:
        """Read and locate a few faces at a time, so that memory does not grow with the number of photographs."""
        batch: list[_Found] = []
        for photo in self.inputs.photos:
            try:
                image = read_photo(photo)
                places = self.finder.find(image, photo, len(self.inputs.photos))
            except MGCError as error:
                self._refuse(photo, error)
                continue
            for number, place in enumerate(places, start=1):
                first = self.names[photo]
                # Another photograph may have that very name.
                name = first if number == 1 else free_name(f"{first}_face{number}", self.taken)
                batch.append(_Found(photo, name, image, place))
                if len(batch) >= self.settings.batch_size:
                    yield batch
                    batch = []
        if batch:
            yield batch

    def _write(self, found: list[_Found], faces: list[Reconstruction]) -> None:
        options: dict[str, Any] = {"neutral": self.settings.neutral, "full_head": self.settings.full_head}
        options["jpeg"] = self.settings.jpeg
        options["write"] = self.settings.write or (PARTS if len(self.names) == 1 else LEAN)
        # Of one person all photographs have a mesh, or none is followed.
        followed = not self.settings.same_person or all(face.detected_mesh is not None for face in faces)
        for item, face in zip(found, faces, strict=True):
            folder = self.report.output / item.folder
            files = write_reconstruction(face, folder, self.reconstructor.face_model, self.renderer, **options)
            if self.settings.rig:
                files.append(write_rig(face, folder, self.reconstructor.face_model))
            refined = self.settings.refine and face.detected is not None
            by_mesh = refined and followed and face.detected_mesh is not None
            self._done(Done(item.photo, folder, files, face, item.place.settled, refined, by_mesh))

    def _done(self, done: Done) -> None:
        self.on_result(done)
        self.report.done.append(done if self.keep_faces else dataclasses.replace(done, face=None))

    def _refuse(self, file: Path, error: MGCError) -> None:
        """Note an input that cannot be used; if it is the only one, that is the end."""
        if len(self.names) == 1:
            raise error
        refused = Refused(file, str(error))
        self.on_result(refused)
        self.report.failed.append(refused)
