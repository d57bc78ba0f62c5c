import shutil

import pytest
import torch

from datamodules import NoWDataModule
from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.photo_sets import evenly
from mgc_lightning.face_models import load_face_model


def test_crops_hold_the_face(now_set):
    data = NoWDataModule(now_set, image_size=64, batch_size=3)
    batches = list(data.test_dataloader())
    assert [len(batch.images) for batch in batches] == [3, 3, 2]
    assert batches[0].images.shape[1:] == (3, 64, 64)
    assert torch.cat([batch.index for batch in batches]).tolist() == list(range(8))
    assert batches[0].names[0] == data.images[0].name
    # The box of the face fills the box of the mean face.
    target = data.photos.target
    matrix_box = data.photos.box(0)
    assert target.shape == matrix_box.shape == (4,)
    wider = NoWDataModule(now_set, image_size=64, box_scale=1.5)
    assert not torch.equal(wider.photos[0].images, data.photos[0].images)


def test_processes_share_the_photographs(now_set):
    data = NoWDataModule(now_set, image_size=32)
    shares = [[int(i) for batch in data.loader(rank, 3) for i in batch.index] for rank in range(3)]
    assert sorted(sum(shares, [])) == list(range(8))


def test_subset_challenge_and_network(now_set):
    data = NoWDataModule(now_set, subset=4, image_size=32)
    assert len(data.images) == 4
    assert len({image.subject for image in data.images}) == 2
    assert len(NoWDataModule(now_set, challenge="selfie").images) == 2
    data.align_to(load_face_model(), 48)
    assert data.photos[0].images.shape == (1, 3, 48, 48)
    with pytest.raises(MGCError, match="at least 1"):
        evenly(data.images, 0)


@pytest.mark.parametrize(
    "missing",
    [
        "NoW_Dataset/final_release_version/iphone_pictures/SYNTH_0002",
        "NoW_Dataset/final_release_version/detected_face/SYNTH_0001",
        "scans/SYNTH_0002",
        "scans_lmks_onlypp/SYNTH_0001",
        "imagepathsvalidation.txt",
    ],
)
def test_what_is_missing_is_named_at_once(now_set, tmp_path, missing):
    copy = shutil.copytree(now_set, tmp_path / "set", ignore=shutil.ignore_patterns("predictions"))
    gone = copy / missing
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    with pytest.raises(MGCError, match=missing.split("/")[-1]):
        NoWDataModule(copy)


def test_photographs_may_lie_elsewhere(now_set, tmp_path):
    copy = shutil.copytree(now_set, tmp_path / "set", ignore=shutil.ignore_patterns("predictions", "NoW_Dataset"))
    with pytest.raises(MGCError, match="give their folder"):
        NoWDataModule(copy)
    for photos in (now_set, now_set / "NoW_Dataset", now_set / "NoW_Dataset/final_release_version"):
        assert len(NoWDataModule(copy, photos=photos, image_size=32).images) == 8
