"""Sources list their photographs with identities and captures."""

import numpy as np
import pytest
import scipy.io
from browser_videos import write_browser_video
from PIL import Image

from mgc_lightning.errors import MGCError
from mgc_lightning.photographs.sources import open_source, read_source_photo
from mgc_lightning.photographs.sources.find import guess_kind
from mgc_lightning.photographs.sources.known import read_mat_landmarks
from mgc_lightning.photographs.sources.videos import (
    promised_frames,
    read_frame,
    video_frames,
    video_times,
)


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def test_folders(tmp_path):
    touch(
        tmp_path, "anna/1.jpg", "anna/monday/2.png", "b ü/x.JPG", "alone.webp", "notes.txt", ".hidden/3.jpg", "c/.4.jpg"
    )
    source = open_source([tmp_path])
    assert [(p.name, p.identity, p.capture) for p in source] == [
        ("alone.webp", "", ""),
        ("anna/1.jpg", "anna", ""),
        ("anna/monday/2.png", "anna", "monday"),
        ("b ü/x.JPG", "b ü", ""),
    ]
    assert [name for name, _ in source.skipped] == ["notes.txt"]
    with pytest.raises(MGCError, match="no such"):
        open_source([tmp_path / "nowhere"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(MGCError, match="no photographs"):
        open_source([tmp_path / "empty"])


def test_lists(tmp_path):
    table = tmp_path / "list.csv"
    table.write_text('path,identity,capture,landmarks\nb.jpg,anna,1,b.pts\n"a, c.jpg",,,\n', encoding="utf-8-sig")
    first, second = open_source([table])
    assert (first.name, first.identity, first.landmarks) == ("a, c.jpg", "", None)
    assert (second.identity, second.capture, second.landmarks) == ("anna", "1", tmp_path / "b.pts")
    table.write_text("file\na.jpg\n")
    with pytest.raises(MGCError, match="column `path`"):
        open_source([table])
    table.write_text("path\na.jpg\na.jpg\n")
    with pytest.raises(MGCError, match="twice"):
        open_source([table])


def test_lists_as_people_type_them(tmp_path):
    table = tmp_path / "list.csv"
    table.write_text('path, identity , capture, landmarks\nb.jpg, anna, 1, b.pts\n "a, c.jpg" ,berta ,,\n')
    first, second = open_source([table])
    assert (first.name, first.path, first.identity) == ("a, c.jpg", tmp_path / "a, c.jpg", "berta")
    assert (second.identity, second.capture, second.landmarks) == ("anna", "1", tmp_path / "b.pts")
    table.write_text("path,identity\na.jpg,anna\n a.jpg,anna\n")
    with pytest.raises(MGCError, match="twice"):
        open_source([table])


def test_300w_lp(tmp_path):
    touch(tmp_path, "AFW/AFW_1_1_0.jpg", "AFW/AFW_1_1_4.jpg", "AFW_Flip/AFW_1_1_0.jpg", "Code/x_1.jpg")
    (tmp_path / "landmarks" / "AFW").mkdir(parents=True)
    points = np.random.default_rng(0).uniform(0, 450, (68, 2))
    scipy.io.savemat(tmp_path / "landmarks" / "AFW" / "AFW_1_1_0_pts.mat", {"pts_3d": points, "pts_2d": points + 1})
    source = open_source([tmp_path])
    assert source.kind == "300w-lp"
    assert {p.identity for p in source} == {"AFW/AFW_1_1"}
    assert [p.capture for p in source] == ["AFW/AFW_1_1"] * 2 + ["AFW_Flip/AFW_1_1"]
    found = read_mat_landmarks(source.photos[0].landmarks)
    np.testing.assert_allclose(found.numpy(), points - 0.5, atol=1e-3)
    with pytest.raises(MGCError, match="MATLAB"):
        read_mat_landmarks(tmp_path / "AFW" / "AFW_1_1_0.jpg")


def test_multi_pie_and_celeba(tmp_path):
    pie = tmp_path / "pie"
    folder = "session01/multiview/001/01"
    touch(pie, f"{folder}/05_1/001_01_01_051_07.png", f"{folder}/08_1/001_01_01_081_07.png",
          f"{folder}/04_1/001_01_01_041_07.png", f"{folder}/x.png")  # fmt: skip
    source = open_source([pie])
    assert source.kind == "multi-pie"
    assert {(p.identity, p.capture) for p in source} == {("001", "01-01-07")}
    assert len(source) == 2
    assert len(source.skipped) == 1
    celeba = tmp_path / "celeba"
    touch(celeba, "img_celeba/000001.jpg", "img_celeba/000002.jpg")
    (celeba / "identity_CelebA.txt").write_text("000002.jpg 7\n000001.jpg 2880\n")
    source = open_source([celeba])
    assert [(p.name, p.identity, p.capture) for p in source] == [("000001.jpg", "2880", ""), ("000002.jpg", "7", "")]


def test_videos(tmp_path):
    cv2 = pytest.importorskip("cv2")
    path = tmp_path / "a film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (32, 24))
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no video")
    for frame in range(20):
        writer.write(np.full((24, 32, 3), frame * 10, np.uint8))
    writer.release()
    (tmp_path / "damaged.mp4").write_bytes(b"words")
    assert guess_kind([tmp_path]) == "videos"
    source = open_source([tmp_path], step=0.5)
    assert [p.frame for p in source] == [0, 5, 10, 15]
    assert {p.identity for p in source} == {"a film"}
    assert len({p.capture for p in source}) == 4
    for photo in (source.photos[2], source.photos[1]):
        assert read_source_photo(photo).mean() * 255 == pytest.approx(photo.frame * 10, abs=6)
    assert source.skipped[0][0] == "damaged.mp4"


def test_recordings_of_browsers_have_frames_and_times(tmp_path):
    milliseconds = [0, 33, 66, 150, 183, 216, 400, 433, 466, 499, 600, 633]
    pictures = [np.full((96, 128, 3), 20 * n, np.uint8) for n in range(12)]
    path = write_browser_video(tmp_path / "camera.webm", pictures, milliseconds)
    assert promised_frames(path) == 0
    np.testing.assert_allclose(video_times(path) * 1000, milliseconds, atol=1e-6)
    shown = [(number, float(image.mean()) * 255) for number, _, image in video_frames(path)]
    assert shown == [(n, pytest.approx(20 * n, abs=8)) for n in range(12)]
    for frame in (7, 2, 11):
        assert read_frame(path, frame).mean() * 255 == pytest.approx(20 * frame, abs=8)
    with pytest.raises(MGCError, match="frame 12 cannot be read"):
        read_frame(path, 12)
    assert [photo.frame for photo in open_source([path], step=0.2)] == [0, 5, 6, 10]


def test_wrong_kinds(tmp_path):
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    with pytest.raises(MGCError, match="expected a folder"):
        open_source([tmp_path / "a.png"])
