"""A tiny set in AFLW2000-3D's layout: crops, annotations, the score by yaw of perfect and shifted predictions."""

import lightning as L
import numpy as np
import pytest
import scipy.io
import torch
from PIL import Image
from tiny_networks import face_points

from callbacks.aflw2000 import AFLW2000Score
from datamodules.aflw2000 import AFLW2000DataModule
from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import load_face_model
from mgc_lightning.metrics.nme_by_yaw import NormalizedMeanErrorByYaw
from mgc_lightning.photographs.crop import transform_points2d
from mgc_lightning.synthetic.dataset import make_triplets

YAWS = (10.0, -45.0, 70.0, -20.0)
SIZE = 32


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("AFLW2000 ü")
    batch = make_triplets(load_face_model(), len(YAWS), image_size=90)
    for number, yaw in enumerate(YAWS):
        picture = np.zeros((120, 150, 3), np.uint8)
        picture[20:110, 30:120] = (batch.images[number, 0].permute(1, 2, 0) * 255).numpy().astype(np.uint8)
        Image.fromarray(picture).save(folder / f"image{number:05d}.jpg")
        points = batch.landmarks[number, 0].numpy() + [30, 20] + 0.5
        content = {
            "pt3d_68": np.concatenate([points.T, np.zeros((1, 68))]),
            "Pose_Para": np.array([[0.1, np.deg2rad(yaw), 0.0, 0, 0, 0, 1e-4]]),
        }
        scipy.io.savemat(folder / f"image{number:05d}.mat", content)
        np.save(folder / f"image{number:05d}.npy", points - 0.5 + 1.0)
    return folder


class Oracle(L.LightningModule):
    """Know the annotation of every crop, and add an error in px of the photograph."""

    def __init__(self, batches, error):
        super().__init__()
        self.batches, self.error = iter(batches), error

    def test_step(self, batch, batch_idx):
        pass

    def forward(self, images):
        batch = next(self.batches)
        return None, None, transform_points2d(batch.crop_from_image, batch.landmarks + torch.tensor([self.error, 0.0]))


def score(data, error=0.0):
    callback = AFLW2000Score()
    trainer = L.Trainer(
        accelerator="cpu", logger=False, callbacks=[callback], enable_progress_bar=False, enable_model_summary=False
    )
    (results,) = trainer.test(Oracle(list(data.test_dataloader()), error), datamodule=data, verbose=False)
    return {name.removeprefix("aflw2000/nme_"): value for name, value in results.items()}


@pytest.mark.parametrize("align", ["annotation", "files"])
def test_scores_are_in_pixels_of_the_photographs(folder, align):
    options = {"align": "annotation"} if align == "annotation" else {"landmarks": folder}
    data = AFLW2000DataModule(folder, image_size=SIZE, batch_size=3, **options)
    assert max(score(data).values()) < 1e-3
    scores = score(data, error=2.0)
    expected = []
    for batch in data.test_dataloader():
        assert batch.images.shape[1:] == (3, SIZE, SIZE)
        extent = batch.landmarks.amax(1) - batch.landmarks.amin(1)
        expected += (200 / extent.prod(1).sqrt()).tolist()
        assert batch.found.all()
    assert scores["0-30"] == pytest.approx((expected[0] + expected[3]) / 2, rel=1e-3)
    assert scores["30-60"] == pytest.approx(expected[1], rel=1e-3)
    assert scores["60-90"] == pytest.approx(expected[2], rel=1e-3)
    assert scores["mean"] == pytest.approx((scores["0-30"] + scores["30-60"] + scores["60-90"]) / 3, rel=1e-4)
    assert scores["all"] == pytest.approx(sum(expected) / 4, rel=1e-3)


def test_undetected_faces_are_aligned_by_annotation(folder, tmp_path):
    data = AFLW2000DataModule(folder, image_size=SIZE, landmarks=tmp_path)
    (batch,) = data.test_dataloader()
    assert not batch.found.any()


def test_faults(folder, tmp_path):
    with pytest.raises(MGCError, match="AFLW2000"):
        AFLW2000DataModule(tmp_path)
    with pytest.raises(MGCError, match="align"):
        AFLW2000DataModule(folder, align="eyes")
    points = np.concatenate([face_points(60).numpy().T + 10, np.zeros((1, 68))])
    Image.new("RGB", (90, 90)).save(tmp_path / "a.jpg")
    for wrong, message in ((points, "Pose_Para"), (points[[1, 0, 2]], r"a\.mat: .* x and y look exchanged")):
        scipy.io.savemat(tmp_path / "a.mat", {"pt3d_68": wrong})
        with pytest.raises(MGCError, match=message):
            next(iter(AFLW2000DataModule(tmp_path, align="annotation").test_dataloader()))


def test_bins():
    metric = NormalizedMeanErrorByYaw()
    target = torch.tensor([[[0.0, 0.0], [10.0, 10.0]]]).repeat(4, 1, 1)
    errors = torch.tensor([1.0, 2.0, 3.0, 4.0])[:, None, None] * torch.tensor([1.0, 0.0])
    metric.update(target + errors, target, torch.tensor([30.0, 30.1, -61.0, 95.0]))
    scores = metric.compute()
    assert scores["0-30"] == pytest.approx(10)
    assert scores["30-60"] == pytest.approx(20)
    assert scores["60-90"] == pytest.approx(35)
    assert scores["mean"] == pytest.approx(65 / 3)
    empty = NormalizedMeanErrorByYaw()
    empty.update(target[:1], target[:1], torch.tensor([0.0]))
    assert empty.compute()["60-90"].isnan()
    assert empty.compute()["mean"] == 0
