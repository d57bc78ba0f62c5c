"""What the scan benchmark is told; nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from mgc_lightning.arguments.checked import Checked
from mgc_lightning.arguments.types import AnyPath, Count, Folder, Metavar, Modules, NameOrPath, Share, Whole, Within
from mgc_lightning.errors import MGCError
from mgc_lightning.metrics.now.names import Unit
from mgc_lightning.photographs.settings import DetectorName

Votes = Literal["auto", "vertices", "surface"]
"""What NoW counts: the scan's vertices, or points of its surface at equal density; `auto` takes the surface where fewer
than 10,000 vertices would vote."""
LightKind = Literal["soft", "side"]
"""Even light from the front, or a warm lamp from a side."""
Background = Literal["plain", "busy"]
"""A wall, or things."""


@dataclass(frozen=True, kw_only=True)
class PhotographSettings(Checked):
    """The photographs.

    For every distance and every light there is a moment: a photograph for each of `yaws`, by cameras that stand around
    the head, which keeps still in its light.

    Attributes:
        image_size: side of the photographs.
        distances: metres from the camera to the face.
        yaws: degrees by which the head is turned from the camera, about.
        yaw_jitter: degrees give or take, uniform.
        pitch: degrees, standard deviation; at most twice that.
        roll: degrees, likewise.
        frame: mm that the picture is high at the face, between; a head is 230 to 260 mm high.
        noise: of the sensor, standard deviation, of white.
        quality: of JPEG, between.
        seed: of cameras, lights, backgrounds, noise and painted colours.
    """

    image_size: Annotated[int, Metavar("PX"), Within(64)] = 512
    distances: Annotated[tuple[float, ...], Metavar("M"), Within(0.25)] = (0.4, 0.7, 2.0)
    yaws: Annotated[tuple[float, ...], Metavar("DEGREES")] = (-55.0, -25.0, 0.0, 25.0, 55.0)
    yaw_jitter: Annotated[float, Metavar("DEGREES")] = 5.0
    pitch: Annotated[float, Metavar("DEGREES")] = 7.0
    roll: Annotated[float, Metavar("DEGREES")] = 4.0
    frame: Annotated[tuple[float, float], Metavar("LOW HIGH")] = (320.0, 420.0)
    noise: Share = 0.008
    quality: Annotated[tuple[int, int], Metavar("LOW HIGH"), Within(1, 100)] = (82, 95)
    seed: Whole = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.distances or not self.yaws:
            raise MGCError(f"Expected at least one of `distances` and of `yaws`; got {self.distances} and {self.yaws}")


@dataclass(frozen=True, kw_only=True)
class ScanSettings(Checked):
    """The scans.

    Attributes:
        unit: of scans and points; if not given, what the file of points says, or metres for .glb, or mm.
        votes: what NoW counts; auto is the surface of a coarse scan and the vertices of others.
    """

    unit: Unit | None = None
    votes: Votes = "auto"


@dataclass(frozen=True, kw_only=True)
class CropSettings(Checked):
    """Crops by a detector and by boxes.

    Attributes:
        detector: cuts the detector's crops; none if not given.
        weights: files or folders of its weights.
        landmarks: instead of a detector, its 5 or 68 points of each photograph of an earlier run, a file a photograph
            by stem; what another environment's detector found.
        box_looseness: by which each side of a box is off, of the box's size, a standard deviation.
    """

    detector: DetectorName | None = None
    weights: tuple[AnyPath, ...] = ()
    landmarks: Folder | None = None
    box_looseness: Annotated[float, Metavar("SHARE"), Within(0, 0.5)] = 0.05


@dataclass(frozen=True, kw_only=True)
class SeveralSettings(Checked):
    """Several photographs of one person.

    Attributes:
        several: reconstruct from several photographs too, of one moment, and in different light.
        steps: of the comparison of several of one moment.
    """

    several: bool = True
    steps: Count = 60


@dataclass(frozen=True, kw_only=True)
class ScanBenchmarkSettings(SeveralSettings, CropSettings, ScanSettings, PhotographSettings):
    """Choose what is photographed, how crops are cut, and what is counted.

    Example:
        >>> settings = ScanBenchmarkSettings(distances=(0.5,), yaws=(0.0,), detector="mediapipe", several=False)
        >>> settings.image_size, settings.steps  # the rest as it is
        (512, 60)
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.landmarks is not None and self.detector is not None:
            raise MGCError("Give either `landmarks` or `detector`, not both")
        if self.landmarks is not None and not Path(self.landmarks).is_dir():
            raise MGCError(f"`landmarks` {self.landmarks}: expected a folder with a file a photograph")


@dataclass(frozen=True, kw_only=True)
class MethodSource(Checked):
    """What is measured, beside the mean face and the limit.

    Attributes:
        checkpoint: a .ckpt of `fit`, or an export: .onnx, .safetensors, or the folder of one; a .pt2, which runs
            code when it is opened, only if it is named itself; if neither this nor
            predictions are given, the network that comes with the package.
        predictions: another method's neutral meshes, HEAD/photographs/NAME.obj (or .ply) with seven landmarks in
            NAME.npy (or .txt), for the photographs of an earlier run; likewise HEAD/own_colours.
        face_model: whose mean and limit are shown; the network's if not given.
        imports: modules of yours that define the network's backbone, such as my_nets.
        network: without one, the mean face and the limit stand alone.
    """

    checkpoint: AnyPath | None = None
    predictions: Folder | None = None
    face_model: NameOrPath | None = None
    imports: Modules = ()
    network: bool = True
