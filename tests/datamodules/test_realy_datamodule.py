import shutil

import pytest
import torch

from datamodules import REALYDataModule
from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import load_face_model


def test_crops_by_view(realy_set):
    data = REALYDataModule(realy_set, image_size=64, batch_size=2)
    batches = list(data.test_dataloader())
    assert [len(batch.images) for batch in batches] == [2, 1]
    assert batches[0].images.shape[1:] == (3, 64, 64)
    assert [name for batch in batches for name in batch.names] == data.names == ["1", "2", "3"]
    assert REALYDataModule(realy_set, view="side").names == ["1_1", "2_1", "3_1"]
    assert data.scan(1).subject == 2


def test_processes_share_the_photographs(realy_set):
    data = REALYDataModule(realy_set, image_size=32)
    shares = [[int(i) for batch in data.loader(rank, 2) for i in batch.index] for rank in range(2)]
    assert shares == [[0, 2], [1]]


def test_subset_and_network(realy_set):
    data = REALYDataModule(realy_set, subset=2, image_size=32)
    assert data.names == ["1", "3"]
    data.align_to(load_face_model(), 48)
    assert data.photos[0].images.shape == (1, 3, 48, 48)


def test_boxes_serve_instead_of_landmarks(realy_set, tmp_path):
    places = tmp_path / "places"
    places.mkdir()
    for name in ("1", "2", "3"):
        (places / f"{name}.txt").write_text("20 15 76 85\n")
    crop = REALYDataModule(realy_set, landmarks=places, image_size=64).photos[0]
    assert crop.images.shape == (1, 3, 64, 64)
    assert crop.names == ["1"]
    by_landmarks = REALYDataModule(realy_set, image_size=64).photos[0]
    assert not torch.equal(crop.images, by_landmarks.images)


def test_what_is_missing_is_named_at_once(realy_set, tmp_path):
    with pytest.raises(MGCError, match="REALY itself comes without"):
        REALYDataModule(realy_set, landmarks=tmp_path / "none")
    with pytest.raises(MGCError, match="expected frontal images"):
        REALYDataModule(realy_set, photos=tmp_path)
    with pytest.raises(MGCError, match="one of"):
        REALYDataModule(realy_set, view="top")
    copy = shutil.copytree(realy_set, tmp_path / "set")
    shutil.rmtree(copy / "REALY_scan_region" / "2")
    with pytest.raises(MGCError, match=r"nose\.obj: no such file of subject 2"):
        REALYDataModule(copy)


def test_photographs_may_lie_elsewhere(realy_set, tmp_path):
    copy = shutil.copytree(realy_set, tmp_path / "set", ignore=shutil.ignore_patterns("REALY_image"))
    assert REALYDataModule(copy, photos=realy_set / "REALY_image", image_size=32).names == ["1", "2", "3"]
