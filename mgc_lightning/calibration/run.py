"""From photographs of people to a network that is calibrated on them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from mgc_lightning.calibration.affine import fit_affine, fold_into, last_layer, unseen_error
from mgc_lightning.calibration.people import MeasuredPeople, find_faces, known_mesh_points, measure_people
from mgc_lightning.calibration.settings import CalibrateSettings
from mgc_lightning.errors import MGCError
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.files.checksum import sha256_of
from mgc_lightning.files.places import as_paths
from mgc_lightning.files.text import write_json
from mgc_lightning.networks.calibrated import Calibrated
from mgc_lightning.networks.export import export_network
from mgc_lightning.networks.face_network import FaceNetwork
from mgc_lightning.networks.predictor import Predictor
from mgc_lightning.photographs.detection import FaceDetector
from mgc_lightning.photographs.detectors import make_detector
from mgc_lightning.photographs.settings import DetectorChoice
from mgc_lightning.reconstruction.inputs import Inputs, find_inputs
from mgc_lightning.reconstruction.reconstructor import FaceReconstructor

REPORT = "calibration.json"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class CalibrationReport:
    """Tell what a calibration did.

    Attributes:
        neutral: photographs of faces at rest that were used.
        others: other photographs that were used.
        skipped: files with the reason.
        before_mm: how far the network's neutral faces are off what the meshes say, mean over face and photographs.
        after_mm: the same after it, of photographs that the fit had not seen.
        mean_mm: the same of the people's mean face.
        model_mm: how far the people's mean face is off the face model's.
    """

    neutral: int
    others: int
    before_mm: float
    after_mm: float
    mean_mm: float
    model_mm: float
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def __str__(self) -> str:
        """Say it in three lines."""
        return (
            f"{self.neutral + self.others} photographs, {self.neutral} of faces at rest; "
            f"{len(self.skipped)} could not be used\n"
            f"the people's mean face is {self.model_mm:.2f} mm off the face model's\n"
            f"neutral faces against the detector's mesh: {self.before_mm:.2f} mm before, {self.after_mm:.2f} mm after "
            f"(photographs not fitted to), {self.mean_mm:.2f} mm for the people's mean face"
        )


def calibrate(
    network: FaceNetwork,
    neutral: str | Path | Sequence[str | Path],
    others: str | Path | Sequence[str | Path] = (),
    settings: CalibrateSettings | None = None,
    detector: FaceDetector | DetectorChoice = "mediapipe",
    on_step: Progress | None = None,
) -> tuple[FaceNetwork, CalibrationReport]:
    """Calibrate a network on photographs of people, without labels and without training.

    What a network learned on rendered faces it tells of photographs with a constant error, and with a gain of its own
    for each direction of identity. Both are measured against the face mesh of a detector that learned from photographs,
    and folded into the last layer: the network stays as large and as fast.

    Args:
        network: for the embedded face model.
        neutral: photographs, folders or patterns: faces at rest, mouth closed, one person each, as in passports. Their
            mean becomes the mean face: take people like those whom the network will see.
        others: further photographs, with any expression.
        settings: of the fit.
        detector: gives landmarks and a mesh; `mediapipe`.
        on_step: called with what is done, how many and of how many.

    Returns:
        A new network, and what was measured. What it says of its calibration includes an earlier one.

    Raises:
        MGCError: if a file is missing, too few photographs show a face with a mesh, the network is for another face
            model, or its faces would be further off the meshes than before.
        MissingExtraError: without the extra `detector`.

    Example:
        >>> from mgc_lightning import calibrate, load_network, save_network
        >>> network, report = calibrate(load_network(), ["people/"], settings=CalibrateSettings(source="my colleagues"))
        ... # doctest: +SKIP
        >>> report.after_mm < report.before_mm  # doctest: +SKIP
        True
        >>> save_network(network, "calibrated.safetensors")  # doctest: +SKIP
    """
    chosen = settings or CalibrateSettings()
    network = copy.deepcopy(network)
    last_layer(network)
    known_mesh_points(network.face_model)
    photographs, skipped = list_photographs(neutral, others)
    found = make_detector(detector) if isinstance(detector, str) else detector
    reconstructor = FaceReconstructor(Predictor.from_network(network), found)

    def counted(what: str) -> Callable[[int, int], None] | None:
        return None if on_step is None else lambda done, total: on_step(what, done, total)

    rest, moving = (
        find_faces(reconstructor, files, counted(what))
        for what, files in zip(("faces at rest", "other faces"), photographs, strict=True)
    )
    skipped += rest.skipped + moving.skipped
    if len(rest.faces) < chosen.least:
        some = "".join(f"\n  {path}: {why}" for path, why in skipped[:3])
        raise MGCError(
            f"{len(rest.faces)} photographs of faces at rest can be used, {chosen.least} are needed (`least`); "
            f"{len(skipped)} files could not be used{some}"
        )
    people = measure_people(reconstructor, rest.faces, moving.faces, chosen.rounds)
    model = network.face_model
    errors = unseen_error(people, model.layout, model.expression_sigma, chosen)
    report = _report(people, errors, model, skipped)
    if report.after_mm >= report.before_mm:
        raise MGCError(
            f"{len(people.predicted)} photographs are too few for this network: on those that a fit had not seen it "
            f"would be {report.after_mm:.2f} mm off the meshes instead of {report.before_mm:.2f}; give more of them"
        )
    affine = fit_affine(people, model.layout, model.expression_sigma, chosen)
    calibrated = Calibrated(len(people.predicted), round(float(errors.square().mean().sqrt()), 4), chosen.source or "")
    return fold_into(network, affine, calibrated.after(network.calibrated)), report


def list_photographs(
    neutral: str | Path | Sequence[str | Path], others: str | Path | Sequence[str | Path] = ()
) -> tuple[list[list[Path]], list[tuple[str, str]]]:
    """List the photographs of faces at rest and the others, each picture once, and the files that are none.

    Raises:
        MGCError: if a file is missing.
    """
    lists: list[list[Path]] = []
    skipped: list[tuple[str, str]] = []
    seen: dict[str, Path] = {}
    for places in (as_paths(neutral), as_paths(others)):
        found = find_inputs(places) if places else Inputs()
        skipped += [(str(path), "a video, not a photograph") for path in found.videos] + found.skipped
        lists.append([])
        for path in found.photos:
            if not path.is_file():
                raise MGCError(f"{path}: no such photograph or folder")
            digest = sha256_of(path)
            if digest in seen:
                skipped.append((str(path), f"the same picture as {seen[digest]}"))
                continue
            seen[digest] = path
            lists[-1].append(path)
    return lists, skipped


def write_calibrated(network: FaceNetwork, report: CalibrationReport, folder: str | Path) -> list[Path]:
    """Write the network as ONNX and safetensors, and what was measured as calibration.json.

    Raises:
        MGCError: if the folder cannot be written.
    """
    exported = export_network(network, folder, ("onnx", "safetensors"))
    content = {key: value for key, value in vars(report).items() if key != "skipped"}
    content["skipped"] = [{"file": name, "reason": reason} for name, reason in report.skipped]
    return [*(file.path for file in exported.files), write_json(Path(folder) / REPORT, content)]


def _report(
    people: MeasuredPeople,
    errors: Float[Tensor, "N I"],
    model: FaceModel,
    skipped: list[tuple[str, str]],
) -> CalibrationReport:
    part = model.layout.slices["identity"]
    measured, predicted = people.measured[:, part].double(), people.predicted[:, part].double()

    def millimetres(identity: Float[Tensor, "N I"]) -> float:
        basis = model.identity_basis[:, model.face_mask].double().cpu()
        return float(torch.einsum("ni,ipk->npk", identity, basis).norm(dim=-1).mean())

    mean = people.mean.double()
    return CalibrationReport(
        neutral=int(people.neutral.sum()),
        others=int((~people.neutral).sum()),
        before_mm=millimetres(predicted - measured),
        after_mm=millimetres(errors),
        mean_mm=millimetres(mean - measured),
        model_mm=millimetres(mean[None]),
        skipped=skipped,
    )
