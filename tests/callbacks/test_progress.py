"""In a pipe a training logs a line a validation; at a terminal its bar counts steps."""

import logging

import tiny_fit
from rich import get_console

from callbacks.progress import TrainingProgress
from mgc_lightning.training.quiet import Noise, set_verbosity

STEPS = [
    "--trainer.callbacks=[]",
    "--trainer.max_steps=4",
    "--trainer.limit_val_batches=1",
    "--trainer.enable_model_summary=false",
]
BASE = [argument for argument in tiny_fit.BARE if "progress_bar" not in argument]


def test_a_pipe_gets_a_line_a_validation(tmp_path, caplog, monkeypatch, capsys) -> None:
    monkeypatch.setattr(get_console(), "_force_terminal", False)
    assert tiny_fit.run(tmp_path, *STEPS, base=BASE) == 0
    lines = [record.getMessage() for record in caplog.records if record.name == "callbacks.progress"]
    assert [line.split(",")[0] for line in lines] == ["step 2/4", "step 4/4"]
    assert ", NME " in lines[0]
    assert lines[0].endswith(" left")
    assert "━" not in capsys.readouterr().out


def test_a_terminal_gets_a_bar_of_steps(tmp_path, monkeypatch) -> None:
    seen = []

    def update(self, progress_bar_id, *arguments, **options):
        plain(self, progress_bar_id, *arguments, **options)
        if self.progress is not None and progress_bar_id == self.train_progress_bar_id is not None:
            seen.append((self.train_progress_bar.description.strip(), self.train_progress_bar.completed))
            seen.append(("of", self.train_progress_bar.total))

    plain = TrainingProgress._update
    monkeypatch.setattr(TrainingProgress, "_update", update)
    monkeypatch.setattr(get_console(), "_force_terminal", True)
    # two epochs of two batches: Lightning's would say Epoch 1/-2 and begin anew
    assert tiny_fit.run(tmp_path, *STEPS, "--data.train_size=2", base=BASE) == 0
    assert {word for word, _ in seen} == {"Step", "of"}
    assert [count for word, count in seen if word == "Step"][-1] == 4
    assert {count for word, count in seen if word == "of"} == {4}


def test_quiet_shows_warnings_alone() -> None:
    try:
        set_verbosity(-1)
        assert not logging.getLogger("mgc_lightning.training").isEnabledFor(logging.INFO)
        set_verbosity(1)
        handlers = logging.getLogger("lightning.pytorch").handlers
        assert not any(isinstance(each, Noise) for handler in handlers for each in handler.filters)
    finally:
        set_verbosity(0)
    assert logging.getLogger("callbacks.progress").isEnabledFor(logging.INFO)
