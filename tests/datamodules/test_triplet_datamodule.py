"""Sets of triplets in a loader and a trainer: complete passes, ranks, workers, resumption, remote places."""

import contextlib
import shutil
import types

import fsspec
import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from triplet_sets import write_official, write_set

from datamodules.triplets import TripletDataModule
from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import load_face_model
from mgc_lightning.structures import FaceTriplet
from mgc_lightning.synthetic.dataset import make_triplets
from mgc_lightning.triplets.official import OfficialLayout
from mgc_lightning.triplets.shards import ShardSet

TRAIN, VAL, SIZE = 11, 2, 32


@pytest.fixture(scope="module")
def batch():
    return make_triplets(load_face_model(), TRAIN + VAL, image_size=SIZE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, batch):
    folder = tmp_path_factory.mktemp("set")
    write_set(folder, batch, TRAIN)
    return folder


def make_data(folder, **changes) -> TripletDataModule:
    options = {"image_size": SIZE, "batch_size": 2, "num_workers": 0, "shuffle_shards": 2}
    return TripletDataModule(str(folder), **{**options, **changes})


def names(data) -> list[str]:
    return [name for batch in data.train_dataloader() for name in batch["sample_id"]]


def rank(data, place: int, world_size: int, epoch: int = 0):
    device = types.SimpleNamespace(root_device=torch.device("cpu"))
    data.trainer = types.SimpleNamespace(global_rank=place, world_size=world_size, current_epoch=epoch, strategy=device)
    return data


def test_samples_are_what_was_written(folder, batch):
    shards = ShardSet(folder, "train")
    assert len(shards) == TRAIN
    for index in (0, 2, 3, 10):
        sample = shards[index]
        assert sample.name == f"train-{index:04d}"
        assert (sample.images.float() / 255 - batch.images[index]).abs().mean() < 0.02
        torch.testing.assert_close(sample.landmarks, batch.landmarks[index])
        assert sample.link == int(batch.link[index])
    data = make_data(folder)
    loaded = data.triplets(next(iter(data.val_dataloader())))
    assert isinstance(loaded, FaceTriplet)
    assert loaded.images.shape == (2, 3, 3, SIZE, SIZE)
    assert loaded.truth is None
    torch.testing.assert_close(loaded.landmarks, batch.landmarks[TRAIN:])
    torch.testing.assert_close(loaded.K, batch.K[TRAIN:])


def test_epochs_run_on_without_losing_a_sample(folder):
    seen = [name for epoch in range(11) for name in names(rank(make_data(folder), 0, 1, epoch))]
    # 11 epochs of 10 samples are 10 passes of 11.
    assert [sorted(seen[start : start + TRAIN]) for start in range(0, 110, TRAIN)] == [sorted(set(seen))] * 10
    assert len(set(seen)) == TRAIN


def test_ranks_share_without_overlap(folder):
    alone = names(make_data(folder, batch_size=4))
    parts = [names(rank(make_data(folder), place, 2)) for place in (0, 1)]
    assert not set(parts[0]) & set(parts[1])
    assert [name for step in (0, 2) for part in parts for name in part[step : step + 2]] == alone


def test_workers_change_nothing_and_augmentation_is_new_each_pass(folder):
    def images(**changes):
        data = make_data(folder, **changes)
        return {name: image for b in data.train_dataloader()
                for name, image in zip(b["sample_id"], data.triplets(b).images, strict=True)}  # fmt: skip

    first, workers = images(), images(num_workers=2)
    assert list(first) == list(workers)
    assert all(torch.equal(first[name], workers[name]) for name in first)
    other = images(seed=1)
    assert list(other) != list(first)
    plain = images(augment=False)
    assert (plain["train-0001"] - first["train-0001"]).abs().mean() > 0.001


class Watcher(L.LightningModule):
    def __init__(self, fail_at=None):
        super().__init__()
        self.layer = torch.nn.Linear(3, 1)
        self.fail_at, self.seen, self.sums = fail_at, [], []

    def training_step(self, batch, batch_idx):
        if self.global_step == self.fail_at:
            raise InterruptedError
        self.seen += batch.sample_id
        self.sums.append(float(batch.images.sum()))
        return self.layer(batch.images.mean((1, 3, 4))).mean()

    def validation_step(self, batch, batch_idx):
        assert isinstance(batch, FaceTriplet)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


def fit(folder, checkpoints, fail_at=None, resume=None):
    module = Watcher(fail_at)
    trainer = L.Trainer(
        max_epochs=2, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        callbacks=[ModelCheckpoint(checkpoints, filename="last", every_n_train_steps=1, enable_version_counter=False)],
    )  # fmt: skip
    with contextlib.suppress(InterruptedError):
        trainer.fit(module, datamodule=make_data(folder), ckpt_path=resume)
    return module


def test_a_fit_resumes_inside_an_epoch(folder, tmp_path):
    whole = fit(folder, tmp_path / "whole")
    before = fit(folder, tmp_path / "broken", fail_at=7)
    after = fit(folder, tmp_path / "broken", resume=tmp_path / "broken" / "last.ckpt")
    assert len(before.seen) == 14
    assert before.seen + after.seen == whole.seen
    assert before.sums + after.sums == pytest.approx(whole.sums)


def test_remote_sets_are_cached_and_checked(folder, tmp_path):
    memory = fsspec.filesystem("memory")
    memory.put(str(folder), "/sets/faces", recursive=True)
    place = "memory://sets/faces"
    shards = ShardSet(place, "train", cache=tmp_path / "cache")
    assert [shards[i].name for i in range(TRAIN)] == [f"train-{i:04d}" for i in range(TRAIN)]
    assert len(list((tmp_path / "cache").rglob("*.tar"))) == 4
    memory.pipe("/sets/faces/train-000000.tar", b"something else")
    with pytest.raises(MGCError, match="manifest"):
        ShardSet(place, "train", cache=tmp_path / "other")[0]
    small = ShardSet(place, "train", cache=tmp_path / "small", cache_gb=1e-9)
    assert small[4].name == "train-0004"
    assert small[8].name == "train-0008"
    assert len(list((tmp_path / "small").rglob("*.tar"))) == 1


def test_damaged_sets(folder, tmp_path):
    with pytest.raises(MGCError, match="no finished set"):
        make_data(tmp_path)
    shutil.copytree(folder, tmp_path / "set")
    path = tmp_path / "set" / "train-000001.tar"
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(MGCError, match="train-000001"):
        ShardSet(tmp_path / "set", "train")[5]
    (tmp_path / "set" / "manifest.json").write_text("{}")
    with pytest.raises(MGCError, match="damaged"):
        make_data(tmp_path / "set")


def test_the_official_layout_is_read(tmp_path, batch):
    write_official(tmp_path, batch)
    whole = OfficialLayout(tmp_path, "train", 0.0)
    assert len(whole) == TRAIN + VAL
    for index in (0, 5):
        sample = whole[index]
        torch.testing.assert_close(sample.landmarks, batch.landmarks[index], atol=1e-4, rtol=0)
        assert (sample.images.float() / 255 - batch.images[index]).abs().mean() < 0.02
        assert (sample.skin.float() / 255 - batch.skin[index]).abs().mean() < 0.02
        assert sample.link == int(batch.link[index])
    parts = [OfficialLayout(tmp_path, split, 0.3).entries for split in ("train", "val")]
    assert not set(parts[0]) & set(parts[1])
    assert len(parts[0]) + len(parts[1]) == TRAIN + VAL
    data = make_data(tmp_path, val_share=0.3)
    assert isinstance(data.triplets(next(iter(data.train_dataloader()))), FaceTriplet)


def test_faults_of_the_official_layout_are_named(tmp_path, batch):
    write_official(tmp_path, batch)
    (tmp_path / "person0" / "frame_cam.txt").write_text("1,2\n")
    (tmp_path / "person1" / "frame_skin.jpg").unlink()
    layout = OfficialLayout(tmp_path, "train", 0.0)
    with pytest.raises(MGCError, match="68 lines"):
        layout[0]
    with pytest.raises(MGCError, match="frame_skin"):
        layout[1]
    (tmp_path / "train.txt").write_text("3 a b")
    with pytest.raises(MGCError, match="line 1"):
        OfficialLayout(tmp_path, "train")
