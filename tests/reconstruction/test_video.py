"""Videos: every frame is there, gaps are filled, jitter goes, and the file plays."""

import json

import cv2
import numpy as np
import pytest
import torch
from browser_videos import write_browser_video

from mgc_lightning.cli import main
from mgc_lightning.errors import MGCError
from mgc_lightning.reconstruction.video import repetitions, video_faces, write_video_faces
from mgc_lightning.reconstruction.video_files import write_video

FRAMES = 12


def make_video(path, frames=FRAMES):
    rng = np.random.default_rng(0)
    with write_video(path, 128, 96, 10.0) as add:
        for _ in range(frames):
            add(np.kron(rng.integers(0, 255, (12, 16, 3)), np.ones((8, 8, 1))).astype(np.uint8))
    return path


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
    torch.testing.assert_close(smoothed.matrices, matrix.expand(FRAMES, 2, 3), atol=1e-5, rtol=0)
    np.testing.assert_allclose(smoothed.times, np.arange(FRAMES) / 10)
    with pytest.raises(MGCError, match="no face was found"):
        video_faces(path, reconstructor, lambda *_: None)


def test_crops_follow_the_detection_frame_by_frame(reconstructor, tmp_path):
    """A window over crops once cut fast heads out of the picture before the network saw them."""
    path = make_video(tmp_path / "a.mp4")
    places = 30 * torch.sin(torch.arange(FRAMES) * 1.5)

    def locate(image, number, last):
        return torch.tensor([[0.5, 0.0, float(places[number])], [0.0, 0.5, 8.0]])

    plain, smoothed = (video_faces(path, reconstructor, locate, smoothing=s) for s in (0.0, 1.0))
    torch.testing.assert_close(smoothed.matrices, plain.matrices)
    torch.testing.assert_close(smoothed.matrices[:, 0, 2], places)


def test_recordings_of_browsers(reconstructor, tmp_path):
    milliseconds = [0, 100, 200, 300, 700, 800, 900, 1000]
    rng = np.random.default_rng(0)
    pictures = [np.kron(rng.integers(0, 255, (12, 16, 3)), np.ones((8, 8, 1))).astype(np.uint8) for _ in milliseconds]
    path = write_browser_video(tmp_path / "camera.webm", pictures, milliseconds)
    told = []
    faces = video_faces(
        path, reconstructor, lambda *_: torch.tensor([[0.5, 0.0, 0.0], [0.0, 0.5, 8.0]]), 0.5,
        lambda stage, done, total: told.append((stage, done, total)),
    )  # fmt: skip
    assert faces.known.tolist() == [True] * 8
    np.testing.assert_allclose(faces.times * 1000, milliseconds)
    assert told[-1] == ("predict", 8, 8)
    write_video_faces(faces, reconstructor, tmp_path / "out")
    content = json.loads((tmp_path / "out" / "frames.json").read_text())
    assert content["seconds"] == [n / 1000 for n in milliseconds]
    drawn = cv2.VideoCapture(str(tmp_path / "out" / "side_by_side.mp4"))
    assert drawn.get(cv2.CAP_PROP_FRAME_COUNT) == 11  # 1.1 s at 10 a second: the pause is shown


def test_drawn_videos_last_as_long():
    times = np.cumsum(np.random.default_rng(0).uniform(0.02, 0.07, 100))
    shown = repetitions(times, 25.0)
    assert len(shown) == 100
    assert sum(shown) == pytest.approx((times[-1] - times[0]) * 25 + 1, abs=1)
    assert repetitions(np.arange(20) / 30, 30.0) == [1] * 20


def test_command(network_file, tmp_path):
    path = make_video(tmp_path / "clip.mp4")
    where = ["--checkpoint", network_file, "--output", tmp_path / "out", "--box", 40, 20, 90, 80]
    arguments = ["reconstruct", path, *where]
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
