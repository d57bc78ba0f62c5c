"""What is fuzzed as whole folders, of which any file is damaged, absent, or a folder: benchmarks, sets, checkpoints."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from target import Target

TINY = {"subjects": 1, "image_size": 64}


def write_network(folder):
    """Write a network that has learned nothing, beside the folder that is damaged."""
    from tiny_networks import make_network

    from mgc_lightning.networks.files import save_network

    return save_network(make_network(), folder / "network.safetensors")


# -- benchmarks ---------------------------------------------------------------------------------------------------


def make_now(folder):
    from mgc_lightning.face_models import load_face_model
    from mgc_lightning.synthetic.now_set import write_now_set
    from mgc_lightning.synthetic.set_settings import NoWSetSettings, ScannerSettings

    settings = NoWSetSettings(images=1, scanner=ScannerSettings(spacing=8.0), **TINY)
    write_now_set(folder / "now", load_face_model(), settings)
    write_network(folder)
    shutil.rmtree(folder / "now/predictions/mean_face")
    return folder / "now"


def score_now(folder):
    from mgc_lightning.evaluation.now.benchmark import benchmark_now

    with tempfile.TemporaryDirectory() as output:
        run = benchmark_now(folder, folder / "predictions/ground_truth", Path(output) / "s.json")
        return [each.distances for each in run.scores.predictions]


def submit_now(folder):
    from mgc_lightning.evaluation.now.submission import submit_now as submit
    from mgc_lightning.evaluation.settings import NoWSubmissionSettings

    with tempfile.TemporaryDirectory() as output:
        submit(
            folder.with_name("network.safetensors"),
            folder,
            Path(output) / "s",
            NoWSubmissionSettings(split="validation"),
        )
        return sorted(path.name for path in Path(output).rglob("*"))


def make_realy(folder):
    from mgc_lightning.face_models import load_face_model
    from mgc_lightning.synthetic.realy_set import write_realy_set
    from mgc_lightning.synthetic.set_settings import REALYSetSettings, ScannerSettings

    settings = REALYSetSettings(views=1, scanner=ScannerSettings(spacing=6.0), **TINY)
    write_realy_set(folder / "realy", load_face_model(), settings)
    write_network(folder)
    shutil.rmtree(folder / "realy/predictions/mean_face")
    return folder / "realy"


def score_realy(folder):
    from mgc_lightning.evaluation.realy.benchmark import benchmark_realy
    from mgc_lightning.evaluation.settings import REALYSettings

    settings = REALYSettings(allow_missing=True)
    with tempfile.TemporaryDirectory() as output:
        predictions = folder / "predictions/ground_truth"
        run = benchmark_realy(folder, predictions, Path(output) / "s.json", "makehuman", settings)
        return [each.errors for each in run.scores.predictions]


def submit_realy(folder):
    from mgc_lightning.evaluation.realy.submission import submit_realy as submit

    with tempfile.TemporaryDirectory() as output:
        submit(folder.with_name("network.safetensors"), folder, Path(output) / "s", "makehuman")
        return sorted(path.name for path in Path(output).rglob("*"))


# -- sets of triplets: what a killed `mgc prepare` goes on from ---------------------------------------------------


def make_stopped_set(folder):
    """Prepare photographs, and stop before the shards are written."""
    from photo_sets import write_photos

    write_photos(folder / "photos", 1, folder / "points")
    with contextlib.suppress(StopIteration):
        _prepare(folder, stop=True)
    return folder / "set"


def _prepare(folder, stop=False):
    import dataclasses
    from unittest import mock

    from photo_sets import EASY

    from mgc_lightning.preparation.run import prepare
    from mgc_lightning.preparation.settings import PrepareSettings

    settings = PrepareSettings(dataclasses.replace(EASY, landmarks=folder / "points"))
    stopped = mock.patch("mgc_lightning.preparation.run._write_set", side_effect=StopIteration)
    with stopped if stop else contextlib.nullcontext():
        return prepare(folder / "photos", folder / "set", settings)


def go_on(folder):
    """Go on, and put back what was there."""
    with tempfile.TemporaryDirectory() as kept:
        shutil.copytree(folder, Path(kept) / "set")
        try:
            return _prepare(folder.parent)["summary"]
        finally:
            shutil.rmtree(folder)
            shutil.copytree(Path(kept) / "set", folder)


def make_whole_set(folder):
    make_stopped_set(folder)
    _prepare(folder)
    return folder / "set/manifest.json"


def prepared_again(file):
    return go_on(file.parent)


# -- official checkpoints -----------------------------------------------------------------------------------------


def make_tensorflow(folder):
    """Write a checkpoint of TensorFlow 1, as its saver does, of a few small variables."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import numpy as np
    import tensorflow

    tf1 = tensorflow.compat.v1
    place = folder / "model"
    place.mkdir()
    with tf1.Graph().as_default(), tf1.Session() as session:
        for number in range(6):
            values = np.arange(number * 7 + 4, dtype=np.float32).reshape(2, -1) if number % 2 == 0 else np.float32(1)
            tf1.get_variable(f"block{number}/weights", initializer=values, use_resource=False)
        session.run(tf1.global_variables_initializer())
        tf1.train.Saver().save(session, str(place / "model"), global_step=7)
    return place


def tensorflow_checkpoint(folder):
    from mgc_lightning.official.tf_checkpoint import TensorFlowCheckpoint

    found = TensorFlowCheckpoint(folder / "model-7")
    found.sha256()
    return dict(found)


def tensorflow_old(file):
    from mgc_lightning.official.tf_checkpoint import TensorFlowCheckpoint

    return dict(TensorFlowCheckpoint(file))


def make_tensorflow_old(folder):
    """Write the older format, of a single file."""
    import numpy as np

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow

    tf1 = tensorflow.compat.v1
    with tf1.Graph().as_default(), tf1.Session() as session:
        tf1.get_variable("weights", initializer=np.arange(60, dtype=np.float32), use_resource=False)
        session.run(tf1.global_variables_initializer())
        tf1.train.Saver(write_version=1).save(session, str(folder / "model"))
    return folder / "model"


FOLDERS = {
    "now-folder": Target(make_now, score_now),
    "now-photographs": Target(make_now, submit_now),
    "realy-folder": Target(make_realy, score_realy),
    "realy-photographs": Target(make_realy, submit_realy),
    "prepare-stopped": Target(make_stopped_set, go_on),
    "prepare-manifest": Target(make_whole_set, prepared_again),
    "tensorflow": Target(make_tensorflow, tensorflow_checkpoint, guarded=True, needs="tensorflow"),
    "tensorflow-old": Target(make_tensorflow_old, tensorflow_old, needs="tensorflow"),
}
