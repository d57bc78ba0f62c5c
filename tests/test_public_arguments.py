"""What users give from Python: a path may be a str wherever it may be a Path, settings hold what they declare."""

import dataclasses
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_api_surface import packages

from callbacks import ContactSheet, ExportBestCheckpoint, NoWBenchmark, REALYBenchmark
from datamodules import AFLW2000DataModule, NoWDataModule, REALYDataModule, SyntheticTriplets, TripletDataModule
from mgc_lightning.arguments.checked import Checked
from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation import NoWSettings, NoWSubmissionSettings, REALYSettings
from mgc_lightning.evaluation.parallel import in_parallel
from mgc_lightning.evaluation.scan import MethodSource, ScanBenchmarkSettings
from mgc_lightning.evaluation.scan.backgrounds import draw_background
from mgc_lightning.geometry import sample_bilinear
from mgc_lightning.losses import LossWeights
from mgc_lightning.losses.priors import Prior
from mgc_lightning.metrics import NoWError
from mgc_lightning.metrics.now.procrustes import align_landmarks
from mgc_lightning.networks import NetworkSource
from mgc_lightning.photographs.crop import warp_to_crop
from mgc_lightning.preparation import PrepareSettings, prepare
from mgc_lightning.preparation.settings import FaceSettings
from mgc_lightning.reconstruction import FaceReconstructor, ReconstructSettings
from mgc_lightning.synthetic.set_settings import NoWSetSettings, ScannerSettings
from mgc_lightning.synthetic.settings import SyntheticSettings
from mgc_lightning.triplets.grouping import GroupingSettings

IMAGE = torch.zeros(1, 1, 4, 4)
GIVEN_BY_US = {"detect", "segment"}
"""Methods that a detector or a skin model of the user's own has; the library calls them, with a `Path`."""


def public() -> Iterator[tuple[str, Any]]:
    for package in packages():
        module = importlib.import_module(package)
        for name in module.__all__:
            yield f"{package}.{name}", getattr(module, name)


def called_by_users() -> Iterator[tuple[str, Any]]:
    """Give functions, constructors and methods; not what results are made with."""
    for name, value in public():
        if inspect.isfunction(value):
            yield name, value
        elif inspect.isclass(value):
            for key, member in vars(value).items():
                function = getattr(member, "__func__", member)
                own = key == "__init__" and not dataclasses.is_dataclass(value)
                if inspect.isfunction(function) and (own or not key.startswith("_")) and key not in GIVEN_BY_US:
                    yield f"{name}.{key}", function


def test_a_path_may_be_a_str() -> None:
    only_paths, seen = [], 0
    for name, function in called_by_users():
        for parameter in inspect.signature(function).parameters.values():
            annotation = str(parameter.annotation)
            if re.search(r"\bPath\b", annotation):
                seen += 1
                if "str | Path" not in annotation:
                    only_paths.append(f"{name}({parameter.name}: {annotation})")
    assert seen > 50
    assert only_paths == []


def test_every_settings_class_checks_its_fields() -> None:
    classes = {value for _, value in public() if inspect.isclass(value) and value.__name__.endswith("Settings")}
    assert len(classes) > 13
    assert [kind for kind in classes if not issubclass(kind, Checked)] == []
    for kind in classes:
        for field in dataclasses.fields(kind):
            with pytest.raises(MGCError, match=f"`{field.name}` must be"):
                kind(**{field.name: object()})


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (NoWSettings, {"challenge": "selfi"}, "`challenge` must be one of multiview_neutral, "),
        (NoWSettings, {"jobs": 0}, "`jobs` must be a whole number of at least 1; got 0"),
        (REALYSettings, {"jobs": 1.5}, "`jobs` must be a whole number of at least 1; got 1.5"),
        (REALYSettings, {"mask": 3}, "`mask` must be a path; got 3"),
        (REALYSettings, {"allow_missing": "no"}, "`allow_missing` must be True or False; got 'no'"),
        (NoWSubmissionSettings, {"batch_size": True}, "`batch_size` must be a whole number of at least 1; got True"),
        (NoWSubmissionSettings, {"box_scale": 0}, "`box_scale` must be a number of 0.1 to 10; got 0"),
        (ReconstructSettings, {"same_person": True, "steps": 1.5}, "`steps` must be a whole number of at least 0"),
        (ReconstructSettings, {"weights": "s3fd.pth"}, "`weights` must be a list; got 's3fd.pth'"),
        (ReconstructSettings, {"box": (1.0, 2.0)}, "`box` must be 4 values; got (1.0, 2.0)"),
        (ReconstructSettings, {"smoth": 1.0}, "ReconstructSettings has no `smoth`. Did you mean `smooth`?"),
        (ScanBenchmarkSettings, {"distances": (0.1,)}, "`distances` must be a number of at least 0.25; got 0.1"),
        (ScanBenchmarkSettings, {"noise": 2}, "`noise` must be a number of 0 to 1; got 2"),
        (MethodSource, {"network": None}, "`network` must be True or False; got None"),
        (NetworkSource, {"level": -1}, "`level` must be a whole number of at least 0; got -1"),
        (NetworkSource, {"imports": "my_nets"}, "`imports` must be a list; got 'my_nets'"),
        (PrepareSettings, {"faces": {}}, "`faces` must be FaceSettings(...); got {}"),
        (FaceSettings, {"quality": 101}, "`quality` must be a whole number of 1 to 100; got 101"),
        (GroupingSettings, {"val_share": float("nan")}, "`val_share` must be a number of 0 to 1; got nan"),
        (NoWSetSettings, {"subjects": 0}, "`subjects` must be a whole number of at least 1; got 0"),
        (ScannerSettings, {"hole_radius": (1.0, -1.0)}, "`hole_radius` must be a number of at least 0; got -1.0"),
        (SyntheticSettings, {"linked": "much"}, "`linked` must be a number; got 'much'"),
        (LossWeights, {"pixell": 0.1}, "LossWeights has no `pixell`. Did you mean `pixel`?"),
        (LossWeights, {"pixel": "big"}, "`pixel` must be a number of at least 0; got 'big'"),
    ],
)
def test_what_is_refused(kind, options, message) -> None:
    with pytest.raises(MGCError) as error:
        kind(**options)
    assert message in str(error.value)


def test_what_is_taken() -> None:
    settings = ReconstructSettings(landmarks="points", weights=("a", Path("b")), steps=0, smooth=1, box=None)
    assert settings.landmarks == "points"
    assert NetworkSource("a.ckpt", face_model=Path("model.safetensors")).checkpoint == "a.ckpt"
    assert dataclasses.replace(LossWeights(), pixel=1).pixel == 1
    assert SyntheticSettings(camera_distance=(300, 400)).camera_distance == (300.0, 400.0)


class Nothing:
    """A predictor, where none is asked."""


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: NoWBenchmark(split="tset"), "`split` must be one of validation, test; got 'tset'"),
        (lambda: NoWBenchmark(unit="inch"), "`unit` must be one of mm, cm, m; got 'inch'"),
        (lambda: NoWBenchmark(challenge="selfies"), "Did you mean 'selfie'?"),
        (lambda: NoWBenchmark(box_scale=-1.0), "`box_scale` must be a number of 0.1 to 10; got -1.0"),
        (lambda: NoWBenchmark(jobs=0), "`jobs` must be a whole number of at least 1; got 0"),
        (lambda: NoWBenchmark(photos="tree"), "`photos` belongs to a data set that this callback opens"),
        (lambda: REALYBenchmark(landmarks="points"), "`landmarks` belongs to a data set that this callback opens"),
        (lambda: REALYBenchmark(view="front"), "`view` must be one of frontal, side; got 'front'"),
        (lambda: REALYBenchmark(every=-1), "`every` must be a whole number of at least 0; got -1"),
        (lambda: ExportBestCheckpoint(formats=["onxx"]), "`formats` must be one of onnx, torch, safetensors"),
        (lambda: ExportBestCheckpoint(formats="onnx"), "`formats` must be a list; got 'onnx'"),
        (lambda: ContactSheet(every=0), "`every` must be a whole number of at least 1; got 0"),
        (lambda: SyntheticTriplets(batch_size=0), "`batch_size` must be a whole number of 1 to 65536; got 0"),
        (lambda: SyntheticTriplets(rasterizer="numbe"), "Did you mean 'numba'?"),
        (lambda: TripletDataModule("x", batch_size=1.5), "`batch_size` must be a whole number of 1 to 65536; got 1.5"),
        (lambda: NoWDataModule("x", box_scale=0), "`box_scale` must be a number of 0.1 to 10; got 0"),
        (lambda: REALYDataModule("x", subset=0), "`subset` must be a whole number of at least 1; got 0"),
        (lambda: AFLW2000DataModule("x", num_workers=-1), "`num_workers` must be a whole number of at least 0"),
        (lambda: FaceReconstructor(Nothing(), detector="mediapip"), "Did you mean 'mediapipe'?"),
        (lambda: FaceReconstructor(Nothing()).reconstruct_batch([], batch_size=0), "`batch_size` must be a whole"),
        (lambda: FaceReconstructor.from_pretrained(detector="face_alignment"), "Did you mean 'face-alignment'?"),
        (lambda: Prior("pose"), "`group` must be one of identity, expression, albedo; got 'pose'"),
        (lambda: sample_bilinear(IMAGE, IMAGE.new_zeros(1, 1, 1, 2), "zero"), "Did you mean 'zeros'?"),
        (lambda: warp_to_crop(IMAGE, torch.eye(3)[None, :2], 4, padding="edge"), "`padding` must be one of"),
        (lambda: draw_background("bussy", 8, np.random.default_rng(0)), "Did you mean 'busy'?"),
        (lambda: align_landmarks(np.eye(7, 3), np.eye(7, 3), "inch"), "`unit` must be one of mm, cm, m"),
        (lambda: list(in_parallel(abs, [1], jobs=0)), "`jobs` must be a whole number of at least 1; got 0"),
        (lambda: prepare("nowhere", "out", jobs=0), "`jobs` must be a whole number of at least 1; got 0"),
        (lambda: NoWError(["a"], jobs=-1), "`jobs` must be a whole number of at least 1; got -1"),
    ],
)
def test_what_functions_and_classes_refuse(call, message) -> None:
    with pytest.raises(MGCError) as error:
        call()
    assert message in str(error.value)


def test_a_checked_function_stays_what_it_was() -> None:
    assert ExportBestCheckpoint(folder=None).folder is None
    assert NoWBenchmark("set", photos="tree").selection["photos"] == "tree"
    parameters = inspect.signature(SyntheticTriplets.__init__).parameters
    assert parameters["batch_size"].default == 5
    with pytest.raises(TypeError, match="unexpected keyword argument 'batchsize'"):
        SyntheticTriplets(batchsize=3)
