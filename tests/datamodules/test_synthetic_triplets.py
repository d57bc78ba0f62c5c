"""The datamodule in a trainer: rendering after transfer, workers, ranks, resumption."""

import contextlib
import types

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from datamodules.synthetic import SyntheticTriplets
from mgc_lightning.errors import MGCError
from mgc_lightning.structures import FaceTriplet
from mgc_lightning.synthetic.settings import SyntheticSettings


def make_data(**changes) -> SyntheticTriplets:
    options = {"image_size": 32, "batch_size": 2, "train_size": 8, "val_size": 3, "test_size": 2}
    return SyntheticTriplets(**{**options, **changes})


def ids(data: SyntheticTriplets) -> list[str]:
    return [name for batch in data.train_dataloader() for name in batch["sample_id"]]


def rank(data: SyntheticTriplets, global_rank: int, world_size: int, epoch: int = 0) -> SyntheticTriplets:
    device = types.SimpleNamespace(root_device=torch.device("cpu"))
    data.trainer = types.SimpleNamespace(
        global_rank=global_rank, world_size=world_size, current_epoch=epoch, strategy=device
    )
    return data


def test_workers_and_batch_sizes_do_not_change_samples():
    def images(**changes) -> dict[str, torch.Tensor]:
        data = make_data(**changes)
        batches = [data.triplets(batch) for batch in data.train_dataloader()]
        return {name: image for batch in batches for name, image in zip(batch.sample_id, batch.images, strict=True)}

    first = images()
    for changes in ({"num_workers": 2}, {"batch_size": 4}, {"batch_size": 1}):
        other = images(**changes)
        assert list(other) == list(first)
        for name, image in other.items():
            assert (image - first[name]).abs().mean() < 1e-5


def test_workers_of_a_trainer_on_the_cpu_render_what_the_trainer_would():
    here, there = (rank(make_data(num_workers=count), 0, 1) for count in (0, 2))
    for latents, rendered in zip(here.train_dataloader(), there.train_dataloader(), strict=True):
        assert isinstance(rendered, FaceTriplet)
        expected = here.on_after_batch_transfer(latents, 0)
        assert there.on_after_batch_transfer(rendered, 0) is rendered
        assert rendered.sample_id == expected.sample_id
        for name in ("images", "landmarks", "skin", "K", "link", "person"):
            torch.testing.assert_close(getattr(rendered, name), getattr(expected, name), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(rendered.truth.verts_posed, expected.truth.verts_posed)


def test_another_seed_gives_other_samples():
    first, second = (data.triplets(next(iter(data.val_dataloader()))) for data in (make_data(), make_data(seed=1)))
    assert (first.truth.verts_neutral - second.truth.verts_neutral).abs().mean() > 0.3


def test_ranks_divide_the_global_batches():
    alone = ids(make_data(batch_size=4))
    first, second = (ids(rank(make_data(), place, 2)) for place in (0, 1))
    assert not set(first) & set(second)
    together = [name for step in (0, 2) for part in (first, second) for name in part[step : step + 2]]
    assert together == alone


def test_epochs_are_new():
    assert not set(ids(rank(make_data(), 0, 1))) & set(ids(rank(make_data(), 0, 1, epoch=1)))


def test_an_epoch_smaller_than_a_batch_is_refused():
    with pytest.raises(MGCError, match="no whole batch"):
        make_data(batch_size=16).train_dataloader()


def test_changed_data_are_reported_on_resuming(caplog):
    state = make_data().state_dict()
    make_data().load_state_dict(state)
    assert not caplog.records
    make_data(seed=3, settings=SyntheticSettings(linked=1, unlinked=0)).load_state_dict(state)
    assert "0 -> 3" in caplog.text
    assert "linked" in caplog.text


class Watcher(L.LightningModule):
    def __init__(self, fail_at: int | None = None) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 1)
        self.fail_at = fail_at
        self.seen: list[str] = []
        self.validated: list[str] = []

    def training_step(self, batch, batch_idx):
        assert isinstance(batch, FaceTriplet)
        if self.global_step == self.fail_at:
            raise InterruptedError
        self.seen += batch.sample_id
        # The intrinsics are a view of the generator's buffer: autograd must accept it after validation.
        return (self.layer(batch.images.mean((1, 3, 4))) * batch.K[0, 0, 0, 0]).mean()

    def validation_step(self, batch, batch_idx):
        self.validated += batch.sample_id

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


def fit(folder, fail_at=None, resume=None, **data) -> Watcher:
    module = Watcher(fail_at)
    trainer = L.Trainer(
        max_epochs=2, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        callbacks=[ModelCheckpoint(folder, filename="last", every_n_train_steps=1, enable_version_counter=False)],
    )  # fmt: skip
    with contextlib.suppress(InterruptedError):
        trainer.fit(module, datamodule=make_data(**data), ckpt_path=resume)
    return module


def test_a_fit_renders_batches_and_resumes_inside_an_epoch(tmp_path):
    whole = fit(tmp_path / "whole")
    assert whole.seen == [f"synthetic/train/{index:08d}" for index in range(16)]
    assert set(whole.validated) == {f"synthetic/val/{index:08d}" for index in range(3)}
    before = fit(tmp_path / "broken", fail_at=6)
    after = fit(tmp_path / "broken", resume=tmp_path / "broken" / "last.ckpt")
    assert before.seen + after.seen == whole.seen
    assert len(before.seen) == 12


def test_the_place_survives_loading_with_weights_only(tmp_path):
    fit(tmp_path, fail_at=3)
    checkpoint = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert checkpoint["loops"]["fit_loop"]["state_dict"]["combined_loader"] == [{"epoch": 0, "samples": 6}]
    assert checkpoint["SyntheticTriplets"]["seed"] == 0
