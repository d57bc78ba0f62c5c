"""`NoWBenchmark`: what it logs and writes, when it runs, and over two processes."""

import json

import pytest
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, WandbLogger
from quick import images, module, trainer

from callbacks import NoWBenchmark
from callbacks.now_pictures import choose
from datamodules import NoWDataModule
from mgc_lightning.errors import MGCError
from mgc_lightning.files.mesh import read_mesh
from mgc_lightning.metrics.now import NoWScores


def test_fit_logs_monitors_and_writes(now_set, tmp_path):
    benchmark = NoWBenchmark(now_set, every=2, subset=4, pictures=2)
    best = ModelCheckpoint(monitor="now/median", filename="{epoch}")
    logger = CSVLogger(tmp_path)
    run = trainer(tmp_path, benchmark, best, logger=logger, max_epochs=3, num_sanity_val_steps=1)
    run.fit(module(), images(), images())
    assert isinstance(benchmark.scores, NoWScores)
    assert len(benchmark.scores.predictions) == 4
    assert best.best_model_path
    assert float(best.best_model_score) <= float(run.callback_metrics["now/median"]) + 1e-6
    assert {"now/mean", "now/std", "now/seconds", "now/multiview_neutral/median"} <= set(run.callback_metrics)
    folder = next(tmp_path.glob("lightning_logs/*/now"))
    scores = json.loads((folder / "scores.json").read_text())
    assert scores["median"] == pytest.approx(float(run.callback_metrics["now/median"]), abs=1e-5)
    assert (folder / "faces.png").is_file()
    assert (folder / "cumulative_error.png").is_file()
    for name in ("best", "worst"):
        mesh = read_mesh(folder / f"{name}.glb")
        assert mesh.colors is not None
    assert set(benchmark.artifacts) == {"NoW scores", "NoW faces"}


def test_every_counts_validations_and_repeats_the_last_scores(now_set, tmp_path, monkeypatch):
    benchmark = NoWBenchmark(now_set, every=2, subset=1, pictures=2)
    runs = []
    score = benchmark._score_all
    monkeypatch.setattr(benchmark, "_score_all", lambda *given: (runs.append(1), score(*given))[1])
    run = trainer(tmp_path, benchmark, max_epochs=4, num_sanity_val_steps=1)
    run.fit(module(), images(), images())
    assert len(runs) == 2
    assert "now/median" in run.callback_metrics
    only_test = NoWBenchmark(now_set, every=0, subset=1)
    run = trainer(tmp_path, only_test, max_epochs=1, num_sanity_val_steps=0)
    run.fit(module(), images(), images())
    assert only_test.scores is None


def test_a_resumed_run_goes_on_in_step(now_set, tmp_path):
    first = NoWBenchmark(now_set, every=3, subset=1, pictures=1)
    keep = ModelCheckpoint(save_last=True)
    trainer(tmp_path, first, keep, max_epochs=1, num_sanity_val_steps=0).fit(module(), images(), images())
    second = NoWBenchmark(now_set, every=3, subset=1, pictures=1)
    run = trainer(tmp_path, second, ModelCheckpoint(), max_epochs=3, num_sanity_val_steps=0)
    run.fit(module(), images(), images(), ckpt_path=keep.last_model_path)
    # Validations 2 and 3 repeat the scores of the first.
    assert second.scores is None
    assert float(run.callback_metrics["now/median"]) == pytest.approx(first.scores.total.median, abs=1e-5)


def test_test_scores_the_data_module(now_set, tmp_path, capsys):
    benchmark = NoWBenchmark(pictures=2)
    data = NoWDataModule(now_set, image_size=224, batch_size=3, subset=4)
    results = trainer(tmp_path, benchmark).test(module(), datamodule=data, verbose=False)
    shown = capsys.readouterr().out
    assert "A synthetic data set" in shown
    assert results[0]["now/median"] == pytest.approx(benchmark.scores.total.median, abs=1e-5)
    assert [prediction.name for prediction in benchmark.scores.predictions] == data.names
    # The network decides the size of the crops.
    assert data.photos.image_size == 32
    own = NoWBenchmark(now_set, subset=4, pictures=2)
    trainer(tmp_path, own).test(module(), images(), verbose=False)
    assert own.scores.total.median == pytest.approx(benchmark.scores.total.median, abs=1e-6)


def test_wandb_gets_table_curve_and_meshes(now_set, tmp_path):
    logger = WandbLogger(project="test", save_dir=tmp_path)
    trainer(tmp_path, NoWBenchmark(now_set, subset=2, pictures=2), logger=logger).test(
        module(), images(), verbose=False
    )
    media = {path.parent.name + "/" + path.name.split("_")[0] for path in tmp_path.rglob("files/media/*/now/*")}
    assert {"now/images", "now/cumulative", "now/faces", "now/best", "now/worst"} <= media
    logger.experiment.finish()


def test_two_processes_agree_with_one(now_set, tmp_path):
    alone = NoWBenchmark(now_set, subset=3, pictures=2)
    trainer(tmp_path / "one", alone).test(module(), images(), verbose=False)
    both = NoWBenchmark(now_set, subset=3, pictures=2)
    run = trainer(tmp_path / "two", both, devices=2, strategy="ddp_spawn")
    run.test(module(), images(), verbose=False)
    scores = json.loads((tmp_path / "two/now/scores.json").read_text())
    assert [image["name"] for image in scores["images"]] == [one.name for one in alone.scores.predictions]
    assert scores["median"] == pytest.approx(alone.scores.total.median, abs=1e-5)


def test_a_missing_data_set_stops_before_training(tmp_path):
    with pytest.raises(MGCError, match="no such folder"):
        trainer(tmp_path, NoWBenchmark(tmp_path / "nothing"), max_epochs=1).fit(module(), images(), images())


def test_choice_of_faces():
    assert choose([1.0], 6) == [0]
    assert choose([2.0, 1.0], 6) == [1, 0]
    assert choose([float(i) for i in range(10)], 4) == [0, 3, 6, 9]
