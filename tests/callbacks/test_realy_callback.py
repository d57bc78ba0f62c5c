"""`REALYBenchmark` and `REALYDataModule`: what is logged and written, when, and over two processes."""

import json

import pytest
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, WandbLogger
from quick import images, module, trainer

from callbacks import REALYBenchmark
from datamodules import REALYDataModule
from mgc_lightning.cli import main
from mgc_lightning.errors import MGCError
from mgc_lightning.files.mesh import read_mesh
from mgc_lightning.networks.files import save_network


def mgc(*arguments):
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    assert not stopped.value.code


def test_fit_logs_monitors_and_writes(realy_set, tmp_path):
    benchmark = REALYBenchmark(realy_set, every=2, subset=2, pictures=1)
    best = ModelCheckpoint(monitor="realy/all", filename="{epoch}")
    run = trainer(tmp_path, benchmark, best, logger=CSVLogger(tmp_path), max_epochs=2, num_sanity_val_steps=1)
    run.fit(module(), images(), images())
    assert [prediction.name for prediction in benchmark.scores.predictions] == ["1", "3"]
    assert best.best_model_path
    assert {"realy/nose", "realy/mouth/std", "realy/cheek/median", "realy/seconds"} <= set(run.callback_metrics)
    folder = next(tmp_path.glob("lightning_logs/*/realy"))
    scores = json.loads((folder / "scores.json").read_text())
    assert scores["all"] == pytest.approx(float(run.callback_metrics["realy/all"]), abs=1e-5)
    assert (folder / "1.png").is_file()
    assert not (folder / "3.png").exists()
    for name in ("best", "worst"):
        assert read_mesh(folder / f"{name}.glb").colors is not None


@pytest.mark.parametrize("neutral", [False, True])
def test_test_equals_the_command(realy_set, tmp_path, capsys, neutral):
    benchmark, network = REALYBenchmark(pictures=0, neutral=neutral), module()
    data = REALYDataModule(realy_set, batch_size=2)
    results = trainer(tmp_path, benchmark).test(network, datamodule=data, verbose=False)
    assert "A synthetic data set" in capsys.readouterr().out
    assert data.photos.image_size == 32
    source, checkpoint = ["--dataset", realy_set], tmp_path / "network.safetensors"
    meshes = ["--predictions", tmp_path / "meshes", "--topology", "makehuman"]
    save_network(network.network.eval(), checkpoint)
    options = ["--checkpoint", checkpoint, "--output", meshes[1], *["--neutral"] * neutral]
    mgc("benchmark", "submit", "realy", *source, *options)
    kind = "neutral" if neutral else "with expression"
    assert f"3 predictions ({kind}, mm), read back" in capsys.readouterr().out
    output = tmp_path / "command.json"
    mgc("benchmark", "realy", *source, *meshes, "--output", output, "--view", "frontal")
    command = json.loads(output.read_text())
    assert results[0]["realy/all"] == pytest.approx(command["all"], abs=1e-3)
    for region, statistics in command["regions"].items():
        assert results[0][f"realy/{region}"] == pytest.approx(statistics["mean"], abs=1e-3)


def test_wandb_gets_table_and_meshes(realy_set, tmp_path):
    logger = WandbLogger(project="test", save_dir=tmp_path)
    benchmark = REALYBenchmark(realy_set, view="side", subset=1)
    trainer(tmp_path, benchmark, logger=logger).test(module(), images(), verbose=False)
    media = {path.parent.name + "/" + path.name.split("_")[0] for path in tmp_path.rglob("files/media/*/realy/*")}
    assert {"realy/images", "realy/best", "realy/worst"} <= media
    logger.experiment.finish()


def test_two_processes_agree_with_one(realy_set, tmp_path):
    alone, both = REALYBenchmark(realy_set, pictures=0), REALYBenchmark(realy_set, pictures=0)
    trainer(tmp_path / "one", alone).test(module(), images(), verbose=False)
    trainer(tmp_path / "two", both, devices=2, strategy="ddp_spawn").test(module(), images(), verbose=False)
    scores = json.loads((tmp_path / "two/realy/scores.json").read_text())
    assert [image["name"] for image in scores["images"]] == ["1", "2", "3"]
    assert scores["all"] == pytest.approx(alone.scores.total, abs=1e-4)


def test_a_missing_data_set_stops_before_training(tmp_path):
    with pytest.raises(MGCError, match="no such folder"):
        trainer(tmp_path, REALYBenchmark(tmp_path / "none"), max_epochs=1).fit(module(), images(), images())
