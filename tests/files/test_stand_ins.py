"""What lies in the place of a file is said: pages, pointers, converted line ends; MATLAB files of version 7.3."""

import subprocess
import sys

import numpy as np
import pytest
from owner_files import tiny_face, write_bfm09, write_bfm09_deep3d, write_flame
from PIL import Image

from mgc_lightning.errors import MGCError, MissingExtraError
from mgc_lightning.face_models import import_face_model, load_face_model_data
from mgc_lightning.files.arrays import read_npy, read_npz
from mgc_lightning.files.matlab import read_mat
from mgc_lightning.files.reading import stand_in
from mgc_lightning.networks import load_network

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
PAGE = b"\n<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>\n"


@pytest.fixture(scope="module")
def face():
    return tiny_face()


@pytest.mark.parametrize(
    ("content", "said"), [(POINTER, "pointer of git-LFS"), (PAGE, "HTML page"), (b"<HTML><BODY>", "HTML page")]
)
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("bfm09", "m.h5"),
        ("bfm09-deep3d", "m.mat"),
        ("flame2020", "f/generic_model.pkl"),
        ("flame2023", "f/flame2023.npz"),
    ],
)
def test_pages_and_pointers(tmp_path, kind, name, content, said):
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    with pytest.raises(MGCError, match=rf"{file.name}: it is an? .*{said[-10:]}"):
        import_face_model(kind, file.parent if "/" in name else file)


def test_pointers_of_networks_and_arrays(tmp_path):
    (tmp_path / "network.safetensors").write_bytes(POINTER)
    with pytest.raises(MGCError, match="pointer of git-LFS"):
        load_network(tmp_path / "network.safetensors")
    (tmp_path / "a.npy").write_bytes(POINTER)
    with pytest.raises(MGCError, match="pointer of git-LFS"):
        read_npy(tmp_path / "a.npy")


def test_converted_line_ends(tmp_path, face):
    path = write_bfm09(tmp_path / "m.h5", face)
    data = path.read_bytes()
    for converted in (data.replace(b"\r\n", b"\n"), data.replace(b"\n", b"\r\n")):
        path.write_bytes(converted)
        with pytest.raises(MGCError, match="line ends were converted"):
            import_face_model("bfm09", path)
    path = write_bfm09_deep3d(tmp_path / "m.mat", face)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    with pytest.raises(MGCError, match="line ends were converted"):
        import_face_model("bfm09-deep3d", path)


def test_whole_files_are_none_of_these(tmp_path, face):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_bytes(b"one\r\ntwo\r\n" * 99)
    files = [tmp_path / "a.png", tmp_path / "a.txt", write_bfm09(tmp_path / "m.h5", face), tmp_path / "nowhere"]
    assert [stand_in(file) for file in files] == [""] * 4


def as_version_73(path, content):
    """Write as MATLAB does by `save -v7.3`: HDF5 behind 512 bytes, first dimension last."""
    import h5py

    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in content.items():
            file.create_dataset(name, data=np.ascontiguousarray(np.asarray(value).T), compression="gzip")
            file[name].attrs["MATLAB_class"] = np.bytes_("double")
        text = file.create_dataset("name", data=np.array([[ord(c)] for c in "Basel"], np.uint16))
        text.attrs["MATLAB_class"] = np.bytes_("char")
        file.create_group("nested")
    head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: ..." + b" " * 200
    with open(path, "r+b") as stream:
        stream.write(head[:116] + bytes(8) + b"\x00\x02IM")


def test_version_73_is_read_as_version_5(tmp_path, face):
    five = read_mat(write_bfm09_deep3d(tmp_path / "five.mat", face))
    content = {name: value for name, value in five.items() if not name.startswith("__")}
    as_version_73(tmp_path / "BFM_model_front.mat", content)
    found = read_mat(tmp_path / "BFM_model_front.mat")
    assert found["name"].tolist() == ["Basel"]
    assert found.keys() == content.keys() | {"name"}
    for name, value in content.items():
        np.testing.assert_array_equal(found[name], value)
    one, other = (
        load_face_model_data(import_face_model("bfm09-deep3d", tmp_path / name, "m"))
        for name in ("five.mat", "BFM_model_front.mat")
    )
    for name in ("mean", "identity_basis", "expression_basis", "faces", "albedo_mean", "landmarks68_index"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_version_73_without_h5py_names_the_extra(tmp_path, face, monkeypatch):
    as_version_73(tmp_path / "m.mat", {"meanshape": np.zeros((1, 9))})
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"mgc-lightning\[face-models\]"):
        import_face_model("bfm09-deep3d", tmp_path / "m.mat")


def test_a_version_73_file_that_claims_more_than_it_holds(tmp_path):
    import h5py

    with h5py.File(tmp_path / "m.mat", "w", userblock_size=512) as file:
        file.create_dataset("big", shape=(10**6, 10**6), dtype="f8", chunks=(100, 100), compression="gzip")
    with pytest.raises(MGCError, match="`big` claims"):
        read_mat(tmp_path / "m.mat")


def test_basels_own_file_says_what_to_do(tmp_path):
    import scipy.io

    scipy.io.savemat(tmp_path / "01_MorphableModel.mat", {"shapeMU": np.zeros((9, 1)), "shapePC": np.zeros((9, 2))})
    with pytest.raises(MGCError, match=r"Basel's own .* neither expressions nor landmarks\. .*BFM_model_front\.mat"):
        import_face_model("bfm09-deep3d", tmp_path / "01_MorphableModel.mat")


def test_flame_files_with_more_than_is_needed(tmp_path, face):
    folder = write_flame(tmp_path / "flame", face, "npz", "contour")
    plain = load_face_model_data(import_face_model("flame2023", folder, "plain"))
    arrays = read_npz(folder / "flame2023.npz")
    np.savez(folder / "flame2023.npz", **arrays, notes=np.array({"author": "x"}, dtype=object))
    np.savez(folder / "flame2023_no_jaw.npz", **arrays)
    more = load_face_model_data(import_face_model("flame2023", folder, "more"))
    for name in ("mean", "identity_basis", "expression_basis", "landmarks68_index"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(more, name))
    with pytest.raises(MGCError, match="holds objects"):
        read_npz(folder / "flame2023.npz")


def test_git_converts_as_is_said(tmp_path):
    """What git's own conversion does to a binary file is told."""
    repository = tmp_path / "r"
    repository.mkdir()
    (repository / ".gitattributes").write_text("*.h5 text eol=lf\n")
    import h5py

    with h5py.File(repository / "m.h5", "w") as file:
        file["x"] = np.arange(9)
    run = ["git", "-C", str(repository), "-c", "user.name=x", "-c", "user.email=x", "-c", "core.safecrlf=false"]
    subprocess.run([*run, "init", "-q"], check=True)
    subprocess.run([*run, "add", "."], check=True, capture_output=True)
    subprocess.run([*run, "commit", "-qm", "x"], check=True)
    (repository / "m.h5").unlink()
    subprocess.run([*run, "checkout", "-q", "--", "m.h5"], check=True)
    assert "line ends were converted" in stand_in(repository / "m.h5")
