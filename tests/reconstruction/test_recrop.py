"""A box is where one looks for the face, not how it is framed: crops are cut again until they stand."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import load_face_model
from mgc_lightning.geometry.camera import intrinsics
from mgc_lightning.networks.predictor import Predictor
from mgc_lightning.photographs.box import mean_face_box
from mgc_lightning.photographs.crop import invert_similarity, similarity_scale
from mgc_lightning.reconstruction.reconstructor import FaceReconstructor
from mgc_lightning.reconstruction.recrop import settle_box, settle_crop
from mgc_lightning.reconstruction.run import reconstruct
from mgc_lightning.reconstruction.settings import ReconstructSettings

SIZE, WIDTH, HEIGHT = 48, 400, 300
MODEL = load_face_model("makehuman", level=0)
TRUTH = torch.tensor([[0.3, 0.0, -36.0], [0.0, 0.3, -21.0]])
"""The similarity from the photograph to the crop of its face."""


def photograph():
    """Give a picture whose red tells the column and whose green the row."""
    v, u = torch.meshgrid(torch.arange(HEIGHT) + 0.5, torch.arange(WIDTH) + 0.5, indexing="ij")
    return torch.stack([u / WIDTH, v / HEIGHT, torch.full_like(u, 0.5)])


def seeing_predictor(gain=1.0, reach=1e9):
    """Give a network that sees where the face is, by the colours of its crop, and goes `gain` of the way to it.

    From farther than `reach` px of the crop it sees nothing, and takes the crop for a face.
    """
    K = intrinsics(SIZE, 4700.0)
    pose = MODEL.main_pose.clone()
    layout = MODEL.layout

    def vector(crops):
        rows = []
        for crop in crops.cpu():
            u, v = crop[0] * WIDTH, crop[1] * HEIGHT
            scale = (SIZE - 1) / max(float(u[SIZE // 2, -1] - u[SIZE // 2, 0]), 1e-3)
            middle = torch.stack([u[SIZE // 2 - 1 : SIZE // 2 + 1].mean(), v[:, SIZE // 2 - 1 : SIZE // 2 + 1].mean()])
            # Where the face's own crop has its middle, in px of this one; and how much larger it is here.
            centre = invert_similarity(TRUTH) @ torch.tensor([SIZE / 2, SIZE / 2, 1.0])
            offset = (centre - middle) * scale
            growth = scale / float(similarity_scale(TRUTH))
            sees = float(offset.norm()) < reach and abs(np.log(growth)) < 1
            offset, growth = (offset * gain, growth**gain) if sees else (offset * 0, 1.0)
            moved = pose.clone()
            moved[5] = pose[5] / growth
            moved[3:5] = pose[3:5] + offset * moved[5] / K[0, 0]
            rows.append(torch.zeros(layout.total))
            rows[-1][layout.slices["pose"]] = moved
            rows[-1][layout.slices["light"]] = torch.tensor([3.5449, *[0.0] * 8] * 3)
        return torch.stack(rows).to(crops)

    return Predictor(vector, MODEL, SIZE, 4700.0, "test")


def face_box(scale=1.0, right=0.0, down=0.0):
    corners = mean_face_box(MODEL, SIZE).reshape(2, 2)
    low, high = (invert_similarity(TRUTH)[:, :2] @ corners.T + invert_similarity(TRUTH)[:, 2:]).T
    middle, sides = (low + high) / 2 + (high - low) * torch.tensor([right, down]), (high - low) * scale
    return torch.cat([middle - sides / 2, middle + sides / 2])


def corners_off(matrix):
    """Give how far the corners of the crop are from those of the face's own, in its sides."""
    square = torch.tensor([[0.0, 0.0, 1.0], [SIZE, 0.0, 1.0], [0.0, SIZE, 1.0], [SIZE, SIZE, 1.0]])
    inverse = invert_similarity(matrix)
    seen = square @ inverse.T
    back = torch.cat([seen, torch.ones(4, 1)], dim=1) @ TRUTH.T
    return float((back - square[:, :2]).norm(dim=1).max()) / SIZE


BOXES = [(0.7, 0, 0), (1, 0, 0), (1.3, 0, 0), (1.6, 0, 0), (1, 0.15, 0), (1, -0.15, 0), (1, 0, 0.15), (1, 0, -0.15)]


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("gain", [1.0, 0.6])
def test_loose_and_tight_boxes_come_to_one_crop(box, gain):
    settled = settle_box(seeing_predictor(gain), photograph(), face_box(*box))
    assert settled.converged
    assert settled.agreement > 0.8
    reference = settle_box(seeing_predictor(gain), photograph(), face_box())
    assert corners_off(settled.crop_from_image) < 0.08
    torch.testing.assert_close(settled.crop_from_image, reference.crop_from_image, atol=1.5, rtol=0.03)


def test_few_starts_that_see_the_face_are_enough():
    """From the middle of a box that is off nothing is seen, from some of the other first crops it is."""
    settled = settle_box(seeing_predictor(0.8, reach=7.0), photograph(), face_box(1, 0, 0.25))
    assert corners_off(settled.crop_from_image) < 0.08
    assert settled.converged


def test_a_frame_follows_the_one_before():
    settled = settle_crop(seeing_predictor(), photograph(), TRUTH + torch.tensor([[0.0, 0.0, 3.0], [0.0, 0.0, -4.0]]))
    assert settled.converged
    assert settled.agreement == 1
    assert corners_off(settled.crop_from_image) < 0.08


def test_a_network_that_takes_any_crop_for_a_face_is_told():
    settled = settle_box(seeing_predictor(0.0), photograph(), face_box())
    assert settled.movement < 0.02
    assert not settled.converged
    assert settled.agreement < 0.1


def test_a_crop_that_leaves_the_picture_is_told():
    fleeing = seeing_predictor(-1.5)
    settled = settle_crop(fleeing, photograph(), TRUTH + torch.tensor([[0.0, 0.0, 3.0], [0.0, 0.0, -4.0]]))
    assert not settled.converged
    assert bool(settled.crop_from_image.isfinite().all())


def test_report_says_how_the_box_came_to_stand(tmp_path):
    picture = (photograph().permute(1, 2, 0) * 255).round().byte().numpy()
    Image.fromarray(picture).save(tmp_path / "a.png")
    x0, y0, x1, y1 = face_box(1.5).tolist()
    settings = ReconstructSettings(box=(x0, y0, x1, y1), write=("coefficients",))
    report = reconstruct(tmp_path / "a.png", tmp_path / "out", FaceReconstructor(seeing_predictor()), settings)
    (row,) = json.loads(report.path.read_text())["done"]
    assert row["box"]["converged"] is True
    assert row["box"]["cut_again"] >= 2
    assert report.done[0].settled.steps == row["box"]["cut_again"]
    assert "may not have found" not in str(report.done[0])


@pytest.mark.parametrize(
    "box", [(500.0, 20.0, 600.0, 120.0), (10.0, 10.0, 11.0, 11.0), (-4800.0, -3600.0, 5200.0, 3900.0)]
)
def test_nothing_is_written_for_a_box_that_holds_no_face(tmp_path, box):
    Image.new("RGB", (400, 300)).save(tmp_path / "a.png")
    with pytest.raises(MGCError, match="box: "):
        reconstruct(
            tmp_path / "a.png", tmp_path / "out", FaceReconstructor(seeing_predictor()), ReconstructSettings(box=box)
        )
    assert not (tmp_path / "out").exists()
