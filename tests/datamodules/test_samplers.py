"""The place of every sample: slices of ranks, epochs, and exact resumption of real fits."""

import contextlib

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader, Dataset

from datamodules.samplers import GlobalBatchSampler, ResumableLoader, unfinished_batches
from mgc_lightning.errors import MGCError


def batches(sampler: GlobalBatchSampler) -> list[list[int]]:
    indices, size = list(sampler), sampler.batch_size
    return [indices[start : start + size] for start in range(0, len(indices), size)]


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_ranks_share_the_global_batches_of_one_process(world_size):
    alone = GlobalBatchSampler(40, 6, new_every_epoch=True)
    ranks = [GlobalBatchSampler(40, 6 // world_size, r, world_size, new_every_epoch=True) for r in range(world_size)]
    for epoch in (0, 3):
        for sampler in [alone, *ranks]:
            sampler.set_epoch(epoch)
        together = [sum(parts, []) for parts in zip(*map(batches, ranks), strict=True)]
        assert together == batches(alone)
        assert {len(sampler) for sampler in ranks} == {len(list(ranks[0]))}


def test_epochs_are_new_and_whole():
    sampler = GlobalBatchSampler(10, 4, new_every_epoch=True)
    assert list(sampler) == list(range(8))
    sampler.set_epoch(2)
    assert list(sampler) == list(range(20, 28))
    assert len(sampler) == 8


def test_evaluation_serves_all_ranks_equally_and_misses_no_sample():
    ranks = [GlobalBatchSampler(11, 2, rank, 4) for rank in range(4)]
    given = [list(sampler) for sampler in ranks]
    assert {len(part) for part in given} == {3} == {len(sampler) for sampler in ranks}
    assert set(sum(given, [])) == set(range(11))
    for sampler in ranks:
        sampler.set_epoch(5)
    assert [list(sampler) for sampler in ranks] == given


def test_fewer_samples_than_ranks_still_serve_every_rank():
    assert [list(GlobalBatchSampler(2, 1, rank, 3)) for rank in range(3)] == [[0], [1], [0]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((3, 2, 0, 2), "no whole batch"), ((8, 0, 0, 1), "batch_size"), ((8, 2, 2, 2), "rank")],
)
def test_impossible_numbers_are_refused(arguments, message):
    with pytest.raises(MGCError, match=message):
        GlobalBatchSampler(*arguments, new_every_epoch=True)


class Numbers(Dataset):
    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.tensor(float(index))


def make_loader(workers: int = 0, batch_size: int = 2) -> ResumableLoader:
    sampler = GlobalBatchSampler(12, batch_size, new_every_epoch=True)
    return ResumableLoader(
        Numbers(), batch_size=batch_size, sampler=sampler, num_workers=workers, persistent_workers=workers > 0
    )


@pytest.mark.parametrize("workers", [0, 2])
def test_loader_continues_where_its_state_was_taken(workers):
    loader = make_loader(workers)
    whole = [batch.tolist() for batch in loader]
    iterator = iter(loader)
    first = [next(iterator).tolist() for _ in range(4)]
    state = loader.state_dict()
    assert state == {"epoch": 0, "samples": 8}
    resumed = make_loader(workers)
    resumed.load_state_dict(state)
    assert len(resumed) == 6
    assert first + [batch.tolist() for batch in resumed] == whole
    assert resumed.state_dict() == {"epoch": 0, "samples": 12}
    resumed.sampler.set_epoch(1)
    assert next(iter(resumed)).tolist() == [12, 13]


def test_a_batch_that_was_not_used_is_given_again():
    loader = make_loader()
    loader._unfinished = lambda: 1
    iterator = iter(loader)
    next(iterator), next(iterator)
    assert loader.state_dict()["samples"] == 2


def test_resuming_inside_a_batch_is_refused():
    with pytest.raises(MGCError, match="no multiple of the global batch of 4"):
        make_loader(batch_size=4).load_state_dict({"epoch": 0, "samples": 6})


class Recorder(L.LightningModule):
    """Learn nothing; write down what it sees, and fail on demand."""

    def __init__(self, fail_at: int | None = None) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.seen: list[list[float]] = []
        self.fail_at = fail_at

    def training_step(self, batch, batch_idx):
        if self.fail_at is not None and self.global_step == self.fail_at:
            raise InterruptedError("killed")
        self.seen.append(batch.tolist())
        return self.layer(batch[:, None]).mean()

    def validation_step(self, batch, batch_idx):
        pass

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


class Data(L.LightningDataModule):
    def __init__(self, workers: int) -> None:
        super().__init__()
        self.workers = workers

    def train_dataloader(self):
        loader = make_loader(self.workers)
        loader.sampler.set_epoch(self.trainer.current_epoch)
        loader._unfinished = lambda: unfinished_batches(self.trainer)
        return loader

    def val_dataloader(self):
        return DataLoader(Numbers(), batch_size=4)


def fit(folder, fail_at=None, resume=None, workers=0, save_every=1, duration=None, **checkpoint) -> Recorder:
    module = Recorder(fail_at)
    trainer = L.Trainer(
        default_root_dir=folder, accelerator="cpu", logger=False, enable_progress_bar=False,
        enable_model_summary=False, val_check_interval=3, num_sanity_val_steps=0, log_every_n_steps=1,
        callbacks=[
            ModelCheckpoint(folder, filename="last", every_n_train_steps=save_every or None,
                            enable_version_counter=False, **checkpoint)
        ],
        **(duration or {"max_epochs": 3}),
    )  # fmt: skip
    with contextlib.suppress(InterruptedError):
        trainer.fit(module, datamodule=Data(workers), ckpt_path=resume)
    return module


WHOLE = [[float(start), float(start + 1)] for start in range(0, 36, 2)]


@pytest.mark.parametrize("duration", [{"max_epochs": 3}, {"max_epochs": -1, "max_steps": 18}], ids=["epochs", "steps"])
@pytest.mark.parametrize("fail_at", [1, 3, 5, 6, 7, 11, 12, 17])
def test_a_killed_fit_resumes_with_the_next_batch(tmp_path, fail_at, duration):
    before = fit(tmp_path, fail_at, duration=duration)
    assert before.seen == WHOLE[:fail_at]
    after = fit(tmp_path, resume=tmp_path / "last.ckpt", duration=duration)
    assert before.seen + after.seen == WHOLE


@pytest.mark.parametrize("fail_at", [7, 12, 15])
def test_resuming_from_the_end_of_an_epoch_starts_the_next(tmp_path, fail_at):
    fit(tmp_path, fail_at, save_every=0, every_n_epochs=1, save_on_train_epoch_end=True)
    after = fit(tmp_path, resume=tmp_path / "last.ckpt")
    assert after.seen == WHOLE[fail_at // 6 * 6 :]


def test_loader_processes_do_not_run_ahead_of_the_checkpoint(tmp_path):
    before = fit(tmp_path, 8, workers=1)
    after = fit(tmp_path, resume=tmp_path / "last.ckpt", workers=1)
    assert before.seen + after.seen == WHOLE


@pytest.mark.parametrize("fail_at", [4, 6, 7, 11])
def test_resuming_from_a_validation_inside_an_epoch(tmp_path, fail_at):
    fit(tmp_path, fail_at, save_every=0)
    after = fit(tmp_path, resume=tmp_path / "last.ckpt", save_every=0)
    assert after.seen == WHOLE[fail_at // 3 * 3 :]


@pytest.mark.parametrize("fail_at", [1, 7])
def test_the_batch_of_a_failed_step_comes_again(tmp_path, fail_at):
    before = fit(tmp_path, fail_at, save_every=100, save_on_exception=True)
    after = fit(tmp_path, resume=next(tmp_path.glob("*.ckpt")))
    assert before.seen + after.seen == WHOLE
