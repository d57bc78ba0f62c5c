"""Checkpoints of others are read safely; hyperparameters are compared aloud."""

import pickle

import pytest
import torch

from mgc_lightning.errors import MGCError
from mgc_lightning.files.checkpoints import read_checkpoint, reconcile


class Malicious:
    def __reduce__(self):
        return (print, ("this must never run",))


def test_missing_and_foreign_files_are_refused(tmp_path) -> None:
    with pytest.raises(MGCError, match="No checkpoint at"):
        read_checkpoint(tmp_path / "none.ckpt")
    text = tmp_path / "text.ckpt"
    text.write_text("hello")
    with pytest.raises(MGCError, match="not a checkpoint"):
        read_checkpoint(text)
    torch.save({"weights": torch.zeros(1)}, tmp_path / "other.ckpt")
    with pytest.raises(MGCError, match="state_dict"):
        read_checkpoint(tmp_path / "other.ckpt")


def test_a_malicious_pickle_runs_nothing(tmp_path, capsys) -> None:
    torch.save({"state_dict": {}, "payload": Malicious()}, tmp_path / "bad.ckpt")
    (tmp_path / "raw.ckpt").write_bytes(pickle.dumps(Malicious()))
    for name in ("bad.ckpt", "raw.ckpt"):
        with pytest.raises(MGCError, match="which could run code and are not read") as caught:
            read_checkpoint(tmp_path / name)
        assert "weights_only" not in str(caught.value)
    assert "never run" not in capsys.readouterr().out


def test_training_keeps_the_config_and_reports() -> None:
    stored = {"image_size": 224, "objective": {"weights": {"pixel": 0.3}}}
    current = {"image_size": 96, "objective": {"weights": {"pixel": 0.3}}}
    used, report = reconcile(stored, current, {"image_size": 224}, adopt=False)
    assert used == current
    assert report == ["image_size is 224 there and 96 in the config; the config's is used."]


def test_evaluation_adopts_what_the_config_leaves_out() -> None:
    stored = {"image_size": 96, "focal": 1000.0}
    current = {"image_size": 224, "focal": 2000.0}
    used, report = reconcile(stored, current, {"image_size": 224, "focal": 4700.0}, adopt=True)
    assert used == {"image_size": 96, "focal": 2000.0}
    assert len(report) == 2
    assert "the checkpoint's is used" in report[1]
    assert "the config's is used" in report[0]


@pytest.mark.parametrize(
    "there",
    ["mgc_lightning.losses.objective.MGCObjective", "mgc_lightning.losses.MGCObjective", "mgc_lightning.MGCObjective"],
)
def test_one_class_under_two_names_is_no_difference(there) -> None:
    stored = {"objective": {"class_path": there}}
    for here in ("mgc_lightning.MGCObjective", "mgc_lightning.losses.objective.MGCObjective"):
        _, report = reconcile(stored, {"objective": {"class_path": here}}, {}, adopt=False)
        assert not report


def test_classes_of_one_name_differ_and_the_checkpoints_is_not_imported(tmp_path, monkeypatch) -> None:
    (tmp_path / "theirs.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    current = {"objective": {"class_path": "mgc_lightning.MGCObjective"}}
    for there in ("theirs.MGCObjective", "mgc_lightning.Other"):
        _, report = reconcile({"objective": {"class_path": there}}, current, {}, adopt=False)
        assert len(report) == 1
