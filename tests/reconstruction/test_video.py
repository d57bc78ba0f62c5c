"""Videos: every frame is there, gaps are filled, jitter goes, and the file plays."""

import json

import cv2
import numpy as np
import pytest
import torch

from mgc_lightning.cli import main
from mgc_lightning.coefficients import CoefficientLayout, FaceCoefficients
from mgc_lightning.errors import MGCError
from mgc_lightning.reconstruction.smoothing import smooth, smooth_coefficients
from mgc_lightning.reconstruction.video import video_faces
from mgc_lightning.reconstruction.video_files import write_video

FRAMES = 12


def make_video(path, frames=FRAMES):
    rng = np.random.default_rng(0)
    with write_video(path, 128, 96, 10.0) as add:
        for _ in range(frames):
            add(np.kron(rng.integers(0, 255, (12, 16, 3)), np.ones((8, 8, 1))).astype(np.uint8))
    return path


def test_constant_values_stay_and_gaps_are_filled():
    found = np.ones(20, dtype=bool)
    found[8:11] = False
    values = np.where(found[:, None], 3.0, np.nan)
    np.testing.assert_allclose(smooth(values, found, 2.0), 3.0)
    lonely = np.zeros(40, dtype=bool)
    lonely[0] = True
    result = smooth(np.ones((40, 1)), lonely, 2.0)[:, 0]
    assert np.isfinite(result[:6]).all()
    assert np.isnan(result[8:]).all()


def test_noise_falls_and_rotations_stay_rotations():
    torch.manual_seed(0)
    layout = CoefficientLayout(4, 3, 5)
    clean = torch.zeros(60, layout.total)
    clean[:, layout.slices["pose"]] = torch.tensor([0.0, 0.0, torch.pi, 1.0, 2.0, 5000.0])
    clean[:, layout.slices["pose"].start + 1] = torch.linspace(-0.5, 0.5, 60)
    noisy = clean + 0.05 * torch.randn_like(clean)
    found = np.ones(60, dtype=bool)
    found[30] = False
    smoothed, known = smooth_coefficients(FaceCoefficients.from_vector(noisy, layout), found, 3.0)
    assert known.all()
    assert (smoothed.identity == smoothed.identity[0]).all()
    inner = slice(8, -8)
    before = (noisy - clean)[inner, layout.slices["pose"]][:, :3]
    after = smoothed.pose[inner, :3] - clean[inner, layout.slices["pose"]][:, :3]
    after = torch.remainder(after + torch.pi, 2 * torch.pi) - torch.pi
    assert after.std() < 0.5 * before.std()


def test_a_face_in_some_frames(reconstructor, tmp_path):
    path = make_video(tmp_path / "a.mp4")
    matrix = torch.tensor([[0.5, 0.0, 0.0], [0.0, 0.5, 8.0]])

    def locate(image, number, last):
        assert image.shape == (3, 96, 128)
        return None if number == 5 else matrix

    plain = video_faces(path, reconstructor, locate)
    assert plain.found.tolist() == plain.known.tolist() == [n != 5 for n in range(FRAMES)]
    smoothed = video_faces(path, reconstructor, locate, smoothing=0.2)
    assert smoothed.known.all()
    torch.testing.assert_close(smoothed.matrices[5], matrix)
    with pytest.raises(MGCError, match="no face was found"):
        video_faces(path, reconstructor, lambda *_: None)


def test_command(exports, tmp_path):
    path = make_video(tmp_path / "clip.mp4")
    arguments = ["reconstruct", path, "--checkpoint", exports, "--output", tmp_path / "out", "--box", 40, 20, 90, 80]
    with pytest.raises(SystemExit) as status:
        main([str(argument) for argument in [*arguments, "--smooth", 0.2, "--neutral"]])
    assert status.value.code == 0
    folder = tmp_path / "out" / "clip"
    names = {"side_by_side.mp4", "sheet.png", "coefficients.npz", "frames.json", "neutral.obj"}
    assert {file.name for file in folder.iterdir()} == names
    video = cv2.VideoCapture(str(folder / "side_by_side.mp4"))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == FRAMES
    assert (video.get(cv2.CAP_PROP_FRAME_WIDTH), video.get(cv2.CAP_PROP_FRAME_HEIGHT)) == (3 * 128, 96)
    with np.load(folder / "coefficients.npz") as content:
        assert content["identity"].shape[0] == FRAMES
        assert content["known"].all()
    assert json.loads((folder / "frames.json").read_text())["without_face"] == []
