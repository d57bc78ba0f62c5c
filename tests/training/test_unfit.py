"""What Lightning offers and a training cannot have is one sentence and status 2; what it can have works."""

import io
import os
import sys
from pathlib import Path

import lightning as L
import pytest
import tiny_fit
import torch
from lightning.pytorch.callbacks import BackboneFinetuning, LearningRateFinder

from mgc_lightning import cli
from mgc_lightning.encoders import ResNet
from mgc_lightning.errors import MGCError
from mgc_lightning.training.module import MGCModule
from mgc_lightning.training.resumed_rates import take_config_rates

PLATEAU = "--model.scheduler=lightning.pytorch.cli.ReduceLROnPlateau"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--trainer.precision=64-true"], "`precision` 64-true: geometry is computed in float32; take 32-true"),
        pytest.param(
            ["--trainer.precision=bf16-true"],
            "`precision` bf16-true: geometry is computed in float32",
            marks=pytest.mark.slow,
        ),
        (["--trainer.callbacks+=WeightAveraging"], "give it `use_buffers: false`"),
        (["--model.scheduler=torch.optim.lr_scheduler.ReduceLROnPlateau"], "has to be told what it looks at"),
        pytest.param(
            [PLATEAU, "--model.scheduler.monitor=val/x"],
            "`scheduler` looks at `val/x`, which is not logged",
            marks=pytest.mark.slow,
        ),
        (["--trainer.callbacks+=EarlyStopping", "--trainer.callbacks.monitor=val/x"], "`val/x` which is not available"),
        (["--trainer.logger=MLFlowLogger"], "mlflow"),
    ],
)
def test_one_sentence_and_status_2(arguments, said, tmp_path, capsys) -> None:
    if "WeightAveraging" in arguments[0] and not hasattr(L.pytorch.callbacks, "WeightAveraging"):
        pytest.skip("Lightning has it from 2.6 on")
    assert tiny_fit.run(tmp_path, *arguments) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert said in line
    assert "Traceback" not in line


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is one")
def test_a_missing_gpu_is_one_sentence(tmp_path, capsys) -> None:
    assert tiny_fit.run(tmp_path, "--trainer.accelerator=gpu") == 2
    assert "error: The config gives what cannot be used: No supported gpu backend found" in capsys.readouterr().err


def test_a_switch_leaves_out_the_callbacks_of_a_config(tmp_path, caplog) -> None:
    off = ["--trainer.enable_progress_bar=false", "--trainer.enable_checkpointing=false"]
    off += ["--trainer.callbacks+=LearningRateMonitor"]
    assert tiny_fit.run(tmp_path, *off, "--trainer.fast_dev_run=true", base=tiny_fit.TINY) == 0
    assert "`enable_progress_bar` is false: TrainingProgress is left out" in caplog.text
    assert "`logger` is false: LearningRateMonitor is left out" in caplog.text
    assert "`enable_checkpointing` is false: ModelCheckpoint is left out" in caplog.text


def test_the_default_progress_leaves_the_callbacks_of_a_config_alone(tmp_path) -> None:
    overlay = tmp_path / "only_checkpoints.yaml"
    overlay.write_text(
        "trainer:\n  callbacks:\n  - class_path: lightning.pytorch.callbacks.ModelCheckpoint\n"
        f"    init_args: {{dirpath: {tmp_path / 'kept'}, save_last: true, every_n_train_steps: 1}}\n"
    )
    assert tiny_fit.run(tmp_path, f"--config={overlay}", base=tiny_fit.TINY) == 0
    assert (tmp_path / "kept" / "last.ckpt").is_file()


@pytest.mark.slow
def test_averaging_callbacks_of_lightning_work(tmp_path) -> None:
    averaging = ["--trainer.callbacks+=StochasticWeightAveraging", "--trainer.callbacks.swa_lrs=1e-3"]
    epochs = ["--trainer.max_epochs=2", "--trainer.max_steps=-1", "--trainer.limit_train_batches=1"]
    assert tiny_fit.run(tmp_path, *averaging, *epochs, "--trainer.val_check_interval=1") == 0
    if hasattr(L.pytorch.callbacks, "WeightAveraging"):
        ours = ["--trainer.callbacks+=WeightAveraging", "--trainer.callbacks.use_buffers=false"]
        assert tiny_fit.run(tmp_path, *ours) == 0


def test_validate_without_a_config_says_what_is_missing(tmp_path, capsys) -> None:
    module = MGCModule(ResNet(18, width=4), image_size=32)
    trainer = L.Trainer(accelerator="cpu", logger=False, default_root_dir=tmp_path)
    trainer.strategy.connect(module)
    trainer.save_checkpoint(tmp_path / "one.ckpt")
    with pytest.raises(SystemExit) as stop:
        cli.main(["validate", "--ckpt_path", str(tmp_path / "one.ckpt")])
    assert stop.value.code == 2
    assert "error: `validate` needs data: give a config" in capsys.readouterr().err


@pytest.mark.parametrize("way", ["-", "pipe"])
def test_a_config_comes_by_a_pipe(way, tmp_path, capsys, monkeypatch) -> None:
    if way == "pipe":
        reading, writing = os.pipe()
        os.write(writing, b"trainer: {max_steps: 7}\n")
        os.close(writing)
        way = f"/dev/fd/{reading}"
    else:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"trainer: {max_steps: 7}\n")))
    arguments = ["fit", "--config", "quickstart", "--config", way, "--print_config"]
    monkeypatch.setattr(sys, "argv", ["mgc", *arguments])
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert not stop.value.code
    assert "max_steps: 7" in capsys.readouterr().out
    assert "max_steps: 7" in Path(sys.argv[5]).read_text()  # what further processes of a training are started with


def test_a_pipe_without_a_config_is_one_sentence(capsys, monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(SystemExit) as stop:
        cli.main(["fit", "--config", "-"])
    assert stop.value.code == 2
    assert "the config is empty" in capsys.readouterr().err


def module(scheduler=None, rate=1e-2):
    return MGCModule(
        ResNet(18, width=4),
        spatial_channels=8,
        image_size=32,
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=rate),
        scheduler=scheduler,
    )


def fit(module, folder, *callbacks, **options):
    from datamodules import SyntheticTriplets

    trainer = L.Trainer(
        default_root_dir=folder,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        callbacks=list(callbacks),
        **options,
    )
    trainer.fit(module, SyntheticTriplets(image_size=32, batch_size=1, train_size=4, val_size=1))
    return trainer


def test_a_plateau_is_looked_for_once_a_validation(tmp_path) -> None:
    from lightning.pytorch.cli import ReduceLROnPlateau

    seen = []

    class Watching(ReduceLROnPlateau):
        def step(self, metrics, epoch=None):
            seen.append(float(metrics))
            super().step(1.0, epoch)  # nothing gets better

    scheduled = module(lambda optimizer: Watching(optimizer, monitor="val/nme", patience=0, factor=0.1))
    trainer = fit(scheduled, tmp_path, max_steps=6, max_epochs=-1, val_check_interval=2, check_val_every_n_epoch=None)
    assert len(seen) == 3
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(1e-4)  # after the second and the third
    state = {"optimizer_states": [trainer.optimizers[0].state_dict()], "lr_schedulers": [{"last_epoch": 3}]}
    take_config_rates(
        state | {"global_step": 6},
        lambda parameters: torch.optim.SGD(parameters, lr=0.5),
        lambda optimizer: ReduceLROnPlateau(optimizer, monitor="val/nme"),
    )
    assert state["optimizer_states"][0]["param_groups"][0]["lr"] == 0.5


@pytest.mark.slow
def test_lightning_finds_the_backbone_and_the_rate(tmp_path) -> None:
    tuned = module()
    assert tuned.lr == 1e-2
    before = next(tuned.network.encoder.backbone.parameters()).detach().clone()
    finetuning = BackboneFinetuning(unfreeze_backbone_at_epoch=5)
    trainer = fit(tuned, tmp_path, finetuning, max_steps=2, limit_val_batches=0)
    assert torch.equal(next(tuned.backbone.parameters()), before)
    assert sum(len(group["params"]) for group in trainer.optimizers[0].param_groups) < len(list(tuned.parameters()))
    found = LearningRateFinder(min_lr=1e-5, max_lr=1e-3, num_training_steps=18)
    tuned = module()
    trainer = fit(tuned, tmp_path, found, max_steps=1, limit_val_batches=0)
    rate = found.optimal_lr.suggestion()
    assert 1e-5 <= rate <= 1e-3
    assert rate == tuned.lr == trainer.optimizers[0].param_groups[0]["lr"]


def test_a_rate_that_is_set_counts(tmp_path) -> None:
    tuned = module()
    tuned.lr = 0.25
    optimizer = tuned.configure_optimizers()
    assert optimizer.param_groups[0]["lr"] == tuned.lr == 0.25


@pytest.mark.slow
def test_python_users_hear_of_precision_too(tmp_path) -> None:
    with pytest.raises(MGCError, match="geometry is computed in float32"):
        fit(module(), tmp_path, precision="64-true", max_steps=1)
