"""Photographs of every kind become RGB in [0, 1], the right way up; damaged ones give one clear error."""

import struct

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from mgc_lightning.errors import MGCError
from mgc_lightning.photographs.photos import as_image, from_array, read_photo

QUADRANTS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], np.uint8)


@pytest.fixture
def picture():
    return Image.fromarray(QUADRANTS).resize((40, 24), Image.Resampling.NEAREST)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, picture, orientation):
    upright = np.asarray(picture)
    inverse = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]  # PIL's transposes
    stored = picture if inverse is None else picture.transpose(Image.Transpose(inverse))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "photo.png"
    stored.save(path, exif=exif)
    np.testing.assert_array_equal(read_photo(path).permute(1, 2, 0).mul(255).round().numpy(), upright)


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "RGBA", "LA", "CMYK", "1", "I;16", "YCbCr"])
def test_modes(tmp_path, picture, mode):
    deep = Image.fromarray(np.full((24, 40), 65535 // 2, np.uint16))
    image = deep if mode == "I;16" else picture.convert(mode)
    path = tmp_path / ("photo.tiff" if mode in ("CMYK", "YCbCr") else "photo.png")
    image.save(path)
    found = read_photo(path)
    assert found.shape == (3, 24, 40)
    assert found.dtype == torch.float32
    assert found.min() >= 0
    assert found.max() <= 1
    if mode in ("RGB", "RGBA", "P"):
        assert found[:, 2, 2].tolist() == pytest.approx([1, 0, 0], abs=0.02)
    if mode == "I;16":
        assert found.mean() == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(("white", "kind"), [(255, "I;16"), (4095, "I;16"), (65535, "I;16"), (4095, "I"), (1, "F")])
def test_deep_grey_of_any_number_of_bits(tmp_path, white, kind):
    values = np.array([[0.0, 0.25, 0.5, 1.0]]) * white
    deep = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[kind]
    path = tmp_path / ("a.png" if kind == "I;16" else "a.tiff")
    Image.fromarray((values if kind == "F" else values.round()).astype(deep)).save(path)
    assert read_photo(path)[1, 0].tolist() == pytest.approx([0, 0.25, 0.5, 1], abs=0.51 / 255)


def exif_of(kind, value, count=1):
    """Write EXIF with the orientation alone, by hand: of another type than SHORT."""
    entry = struct.pack("<HHI", 0x112, kind, count) + value.ljust(4, b"\0")
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 1) + entry + bytes(4)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize(
    ("exif", "turned"),
    [
        (exif_of(1, b"\x06"), True),
        (exif_of(2, b"6", 2), True),
        (exif_of(3, b"\x06\0\x06", 2), True),
        (exif_of(4, b"\x06"), True),
        (exif_of(7, b"\x06"), True),
        (exif_of(11, struct.pack("<f", 6)), True),
        (exif_of(2, b"up", 3), False),
        (exif_of(9, b"\xff\xff\xff\xff"), False),
        (exif_of(5, b"\xff\xff\xff\xff"), False),
        (b"Exif\0\0II*\0\x08\0", False),
        (b"Exif\0\0no such thing", False),
    ],
)
def test_mistyped_exif(tmp_path, picture, suffix, exif, turned):
    picture.save(tmp_path / f"a{suffix}", exif=exif)
    found = read_photo(tmp_path / f"a{suffix}")
    assert found.shape == ((3, 40, 24) if turned else (3, 24, 40))
    # 6: the first row of the file is the right side as it is seen.
    assert found[:, 2, -3 if turned else 2].tolist() == pytest.approx([1, 0, 0], abs=0.1)


def test_a_mistyped_tag_beside_a_good_orientation(tmp_path, picture):
    """Pillow's own turning writes EXIF anew, and fails there."""
    # The resolution as text.
    entries = struct.pack("<HHII", 0x112, 3, 1, 6) + struct.pack("<HHI4s", 0x11A, 2, 4, b"abc\0")
    picture.save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 2) + entries + bytes(4))
    with pytest.raises(TypeError):
        ImageOps.exif_transpose(Image.open(tmp_path / "a.jpg"))
    assert read_photo(tmp_path / "a.jpg").shape == (3, 40, 24)


def test_transparency_is_laid_on_white(tmp_path):
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(tmp_path / "a.png")
    assert read_photo(tmp_path / "a.png").eq(1).all()


def test_arrays_and_tensors():
    image = torch.rand(3, 5, 7)
    assert torch.equal(as_image(image), image)
    torch.testing.assert_close(as_image(image.permute(1, 2, 0).numpy()), image)
    assert from_array(np.full((5, 7), 65535, np.uint16)).eq(1).all()
    assert from_array(np.full((5, 7, 4), 255, np.uint8)).shape == (3, 5, 7)
    assert as_image(Image.new("L", (7, 5), 128)).shape == (3, 5, 7)
    for bad in (np.zeros((5, 7, 2)), np.zeros(5), np.full((5, 7, 3), 2.0), np.zeros((0, 7, 3)), np.zeros((5, 7), int)):
        with pytest.raises(MGCError, match="Expected an image"):
            from_array(bad)
    with pytest.raises(MGCError, match="tensor"):
        as_image(torch.zeros(1, 3, 5, 7))


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("a.png", lambda data: data[: len(data) // 2], "damaged"),
        ("a.png", lambda data: b"", "not an image"),
        ("a.jpg", lambda data: b"these are words", "not an image"),
        ("a.heic", lambda data: b"\0\0\0\x18ftypheic" + b"\0" * 50, "pillow-heif"),
    ],
)
def test_damaged_files(tmp_path, name, damage, message):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(tmp_path / "whole.png")
    (tmp_path / name).write_bytes(damage((tmp_path / "whole.png").read_bytes()))
    with pytest.raises(MGCError, match=message):
        read_photo(tmp_path / name)


def test_missing_and_enormous(tmp_path, monkeypatch):
    with pytest.raises(MGCError, match="no such photograph"):
        read_photo(tmp_path / "nowhere.png")
    Image.new("L", (64, 64)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(MGCError, match="too many pixels"):
        read_photo(tmp_path / "a.png")


def test_every_corruption_is_an_image_or_one_clear_error(tmp_path):
    rng = np.random.default_rng(0)
    whole = []
    for index, suffix in enumerate((".png", ".jpg", ".tiff", ".webp", ".gif", ".bmp")):
        Image.fromarray(rng.integers(0, 255, (24, 32, 3), np.uint8)).save(tmp_path / f"{index}{suffix}")
        whole.append((tmp_path / f"{index}{suffix}").read_bytes())
    read = 0
    for _ in range(200):
        data = bytearray(whole[rng.integers(len(whole))])
        for place in rng.integers(0, min(len(data), 300), rng.integers(1, 12)):
            data[place] = rng.integers(256)
        (tmp_path / "x.png").write_bytes(bytes(data[: rng.integers(1, len(data) + 200)]))
        try:
            image = read_photo(tmp_path / "x.png")
        except MGCError:
            continue
        read += 1
        assert image.shape[0] == 3
        assert image.isfinite().all()
    assert read < 150
