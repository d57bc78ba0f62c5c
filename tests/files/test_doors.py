"""One door a format: what a file claims is compared with what it is before memory is taken; errors are one message."""

import io
import logging
import pickle
import resource
import subprocess
import sys
import tarfile
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from mgc_lightning import read_mesh
from mgc_lightning.errors import MGCError
from mgc_lightning.files.arrays import read_npy, read_npz
from mgc_lightning.files.images import open_image
from mgc_lightning.files.reading import reading
from mgc_lightning.files.text import parse_json, read_text
from mgc_lightning.files.unpickle import load_arrays
from mgc_lightning.photographs.landmark_files import read_landmarks
from mgc_lightning.photographs.photos import read_photo
from mgc_lightning.triplets.shards import ShardSet


def peak_gigabytes(code):
    """Run code in a process of its own; give the most memory that it took beside that of its imports."""
    program = (
        "import resource, sys\nfrom mgc_lightning.errors import MGCError\nfrom mgc_lightning.files.unpickle import "
        "load_arrays\nfrom mgc_lightning.photographs.photos import read_photo\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        f"try:\n    {code}\nexcept MGCError as error:\n    print(error, file=sys.stderr)\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    return float(done.stdout), done.stderr


@pytest.mark.skipif(not hasattr(resource, "RUSAGE_SELF"), reason="no such measure here")
def test_nine_bytes_of_a_pickle_take_no_memory(tmp_path):
    (tmp_path / "box.npy").write_bytes(b"\x80\x02Nr\xff\xff\xff\x0f.")
    gigabytes, said = peak_gigabytes(f"load_arrays({str(tmp_path / 'box.npy')!r})")
    assert gigabytes < 0.1
    assert "place 268435455 of its memo" in said


def test_a_picture_of_few_bytes_and_many_pixels_takes_no_memory(tmp_path, monkeypatch):
    Image.new("L", (9400, 9400)).save(tmp_path / "bomb.png")
    assert (tmp_path / "bomb.png").stat().st_size < 120_000
    gigabytes, said = peak_gigabytes(f"read_photo({str(tmp_path / 'bomb.png')!r})")
    assert gigabytes < 0.1
    assert "9400 x 9400 px are more than the 64 million" in said
    monkeypatch.setenv("MGC_MAX_PIXELS", "100")
    Image.new("L", (11, 10)).save(tmp_path / "small.png")
    with pytest.raises(MGCError, match="MGC_MAX_PIXELS"):
        read_photo(tmp_path / "small.png")
    monkeypatch.setenv("MGC_MAX_PIXELS", "110")
    assert read_photo(tmp_path / "small.png").shape == (3, 10, 11)
    monkeypatch.setenv("MGC_MAX_PIXELS", "many")
    with pytest.raises(MGCError, match="whole number of at least 1; got 'many'"):
        read_photo(tmp_path / "small.png")


@pytest.mark.parametrize(
    "data",
    [
        pickle.PROTO + b"\x04" + pickle.BYTEARRAY8 + (2**40).to_bytes(8, "little") + b"x.",
        pickle.PROTO + b"\x04" + pickle.FRAME + (2**40).to_bytes(8, "little") + b"N.",
        b"cnumpy\nndarray\n(I4294967296\ntR.",  # numpy.ndarray(2**32)
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I4294967296\ntS'b'\ntR.",
        b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(S'V2000000000'\ntRtR.",
        b"cnumpy\ndtype\n((lp0\nI1\naI2\natR.",
        b"(lp0\ng0\na.",  # a list that holds itself
        b"Nr",
        b"",
        b"\x80\x04P0\n.",
    ],
)
def test_no_pickle_asks_for_more_than_it_holds(tmp_path, data):
    path = tmp_path / "model.pkl"
    path.write_bytes(data)
    with pytest.raises(MGCError, match=r"model\.pkl"):
        load_arrays(path)


def test_lists_that_share_do_not_become_many(tmp_path):
    shared = [1.0]
    for _ in range(60):
        shared = [shared, shared]
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(shared, protocol=2))
    assert len(load_arrays(tmp_path / "m.pkl")) == 2


def header(shape, size=0):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return stream.getvalue() + bytes(size)


@pytest.mark.parametrize(
    "data",
    [header((10**12,)), header((68, 2), 1087), header((68, 2), 1089), header((-1, 2), 16),
     b"\x93NUMPY\x01\x00\x76\x00{'a", b"\x93NUMPY\x09\x00", b"", header((2, 2), 32).replace(b"(2, 2)", b"(2, 2(")],
)  # fmt: skip
def test_an_array_is_as_long_as_its_header_says(tmp_path, data):
    (tmp_path / "a.npy").write_bytes(data)
    for read in (read_npy, read_landmarks, load_arrays):
        with pytest.raises(MGCError, match=r"a\.npy"):
            read(tmp_path / "a.npy")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", data)
    with pytest.raises(MGCError, match=r"a\.npz"):
        read_npz(tmp_path / "a.npz")


@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_come_back_as_they_were(tmp_path, order):
    values = np.asarray(np.random.default_rng(0).normal(size=(5, 3, 2)), order=order)
    np.save(tmp_path / "a.npy", values)
    assert np.array_equal(read_npy(tmp_path / "a.npy"), values)
    np.savez_compressed(tmp_path / "a.npz", values=values, word=np.array("makehuman"), none=np.zeros((0, 3)))
    found = read_npz(tmp_path / "a.npz")
    assert np.array_equal(found["values"], values)
    assert str(found["word"]) == "makehuman"
    assert found["none"].shape == (0, 3)


def test_text_in_any_encoding(tmp_path):
    path = tmp_path / "list.txt"
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path.write_bytes("anna\nJosé\n".encode(encoding))
        assert read_text(path).split() == ["anna", "José"]
    for encoding in ("latin-1", "utf-16-le", "utf-32"):
        path.write_bytes("anna\nJosé\n".encode(encoding))
        with pytest.raises(MGCError, match="save it as UTF-8"):
            read_text(path)
    with pytest.raises(MGCError, match="no such file"):
        read_text(tmp_path / "absent.txt")
    with pytest.raises(MGCError, match="cannot be read"):
        read_text(tmp_path / ("x" * 300))
    with pytest.raises(MGCError, match="cannot be read"):
        read_text(tmp_path)
    with pytest.raises(MGCError, match="at most 0 MB"):
        read_text(path, most=3)


def test_json_of_any_kind():
    for text in ("[" * 10**5, "1" * 5000, "{", "\ufeff{}", ""):
        with pytest.raises(MGCError, match=r"^a\.json: no JSON"):
            parse_json(text, "a.json")


def test_what_is_torn_is_said(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        (tmp_path / "m.obj").write_text("v 0 0 0\nv 9 0 0\nv 0 9.25 0\nf 1 2 3\n")
        read_mesh(tmp_path / "m.obj")
        assert caplog.text == ""
        (tmp_path / "m.obj").write_text("v 0 0 0\nv 9 0 0\nv 0 9.25 0\nv 1 1 1.2", newline="")
        read_mesh(tmp_path / "m.obj", require_faces=False)
        assert "its last line is not ended" in caplog.text
        caplog.clear()
        (tmp_path / "m.obj").write_text("# Vertices: 4\n# Faces: 9\nv 0 0 0\nv 9 0 0\nv 0 9.25 0\nv 0 0 1\nf 1 2 3\n")
        read_mesh(tmp_path / "m.obj")
        assert "its comment counts 9 Faces, the file has 1" in caplog.text


def test_a_ply_has_what_its_header_counts(tmp_path):
    head = "ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n"
    head += "element face 2\nproperty list uchar int vertex_indices\nend_header\n"
    (tmp_path / "m.ply").write_text(f"{head}0 0 0\n9 0 0\n0 9 0\n3 0 1 2\n3 0 2 1\n")
    assert len(read_mesh(tmp_path / "m.ply").faces) == 2
    (tmp_path / "m.ply").write_text(f"{head}0 0 0\n9 0 0\n0 9 0\n3 0 1 2\n")
    with pytest.raises(
        MGCError, match="counts 3 of `vertex` and 2 of `face`, but 4 lines follow its header: it is cut off"
    ):
        read_mesh(tmp_path / "m.ply")


def test_a_shard_does_not_unpack_itself(tmp_path):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        member = tarfile.TarInfo("0.json")
        member.size = 10**6
        tar.addfile(member, io.BytesIO(bytes(10**6)))
    (tmp_path / "train-0.tar").write_bytes(stream.getvalue())
    (tmp_path / "manifest.json").write_text(
        '{"format": 1, "splits": {"train": [{"name": "train-0.tar", "samples": 1}]}}'
    )
    with pytest.raises(MGCError, match="sample 0 cannot be read"):
        ShardSet(tmp_path, "train")[0]


def test_a_damaged_picture_is_one_message(tmp_path):
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)).save(stream, format="PNG")
    data = stream.getvalue()
    for damaged in (data[: len(data) // 2], data[:60], b"", data[:8] + zlib.compress(data)):
        (tmp_path / "a.png").write_bytes(damaged)
        with pytest.raises(MGCError, match=r"a\.png"), open_image(tmp_path / "a.png"):
            pass


def test_errors_of_parsers_stay_short():
    with pytest.raises(MGCError) as told, reading("a.bin", "cannot be read"):
        raise RuntimeError("\0" * 5000 + "\nsecond line")
    assert len(str(told.value)) < 2500
    assert len(str(told.value).splitlines()) == 1
