import os
import pickle
import sys
from types import ModuleType

import numpy as np
import pytest
import scipy.sparse

from mgc_lightning.errors import MGCError
from mgc_lightning.files.unpickle import load_arrays


class Malicious:
    """Run a command when unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


class Evaluating(Malicious):
    def __reduce__(self):
        return eval, (f"open({str(self.marker)!r}, 'w')",)


class Reaching(Malicious):
    """Try numpy's own way to files."""

    def __reduce__(self):
        return np.save, (str(self.marker), np.zeros(1))


@pytest.fixture
def chumpy(monkeypatch):
    """Stand in for chumpy where pickles are written; reading must not import it."""
    package, module = ModuleType("chumpy"), ModuleType("chumpy.ch")

    class Ch:
        def __init__(self, x):
            self.x = x

        def __getstate__(self):
            return {"x": self.x, "_dirty_vars": None}

    Ch.__module__, Ch.__qualname__ = "chumpy.ch", "Ch"
    module.Ch = package.Ch = Ch
    monkeypatch.setitem(sys.modules, "chumpy", package)
    monkeypatch.setitem(sys.modules, "chumpy.ch", module)
    return Ch


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_of_every_kind(tmp_path, chumpy, monkeypatch, protocol):
    random = np.random.default_rng(0)
    dense = random.standard_normal((5, 3))
    matrix = scipy.sparse.random(6, 4, 0.5, "csc", random_state=0)
    content = {
        "v": dense,
        "fortran": np.asfortranarray(dense),
        "f": np.arange(6, dtype=np.uint32).reshape(2, 3),
        "shapedirs": chumpy(dense),
        "csc": matrix,
        "csr": scipy.sparse.csr_matrix(matrix),
        "scalar": np.float64(0.5),
        "name": "flame",
        "nested": [{"a": (1, 2.5, None, True)}],
    }
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(content, protocol))
    monkeypatch.delitem(sys.modules, "chumpy.ch")
    monkeypatch.delitem(sys.modules, "chumpy")
    found = load_arrays(path)
    assert list(found) == list(content)
    for key in ("v", "fortran", "f"):
        np.testing.assert_array_equal(found[key], content[key])
    np.testing.assert_array_equal(found["shapedirs"], dense)
    for key in ("csc", "csr"):
        np.testing.assert_array_equal(found[key].toarray(), matrix.toarray())
    assert (found["scalar"], found["name"], found["nested"]) == (0.5, "flame", content["nested"])
    assert "chumpy" not in sys.modules


@pytest.mark.parametrize("attack", [Malicious, Evaluating, Reaching])
@pytest.mark.parametrize("place", ["alone", "in a dictionary", "in an object array", "in a .npy"])
def test_malicious_pickles_are_refused_and_run_nothing(tmp_path, attack, place):
    marker = tmp_path / "ran.npy"
    payload = attack(marker)
    path = tmp_path / "model.pkl"
    if place == "in a .npy":
        np.save(path.with_suffix(".npy"), np.array({"a": payload}, dtype=object), allow_pickle=True)
        path = path.with_suffix(".npy")
    else:
        array = np.empty(1, dtype=object)
        array[0] = payload
        content = {"alone": payload, "in a dictionary": {"v": payload}, "in an object array": array}[place]
        path.write_bytes(pickle.dumps(content))
    with pytest.raises(MGCError, match="refused.*Nothing of it was run"):
        load_arrays(path)
    assert not marker.exists()


def test_the_attacks_work_without_the_guard(tmp_path):
    marker = tmp_path / "ran"
    pickle.loads(pickle.dumps(Malicious(marker)))
    assert marker.exists()


def test_forged_constructors_are_refused(tmp_path):
    """A pickle may not make objects of other classes by way of `copyreg`."""
    path = tmp_path / "forged.pkl"
    path.write_bytes(b"ccopy_reg\n_reconstructor\n(cnumpy\nndarray\nc__builtin__\nobject\nNtR.")
    with pytest.raises(MGCError, match="no array"):
        load_arrays(path)
    path.write_bytes(b"c_codecs\nencode\n(Vabc\nVzlib\ntR.")
    with pytest.raises(MGCError, match="encoding `zlib`"):
        load_arrays(path)


def test_python_2_text_becomes_bytes_of_arrays(tmp_path):
    """Protocol 2 of Python 2 writes an array's bytes as a latin-1 string."""
    array = np.array([1.5, -2.25])
    text = pickle.dumps(array, protocol=2)
    path = tmp_path / "old.pkl"
    path.write_bytes(text.replace(b"numpy._core.", b"numpy.core."))
    np.testing.assert_array_equal(load_arrays(path), array)


def test_object_npy(tmp_path):
    path = tmp_path / "embedding.npy"
    content = {"lmk_face_idx": np.arange(3), "lmk_b_coords": np.eye(3)}
    np.save(path, content, allow_pickle=True)
    found = load_arrays(path)
    np.testing.assert_array_equal(found["lmk_b_coords"], np.eye(3))
    np.save(path, np.eye(2))
    np.testing.assert_array_equal(load_arrays(path), np.eye(2))


@pytest.mark.parametrize("length", [0, 3, 40, -1])
def test_cut_files_are_one_error(tmp_path, length):
    path = tmp_path / "cut.pkl"
    path.write_bytes(pickle.dumps({"v": np.zeros(100)})[:length])
    with pytest.raises(MGCError, match=r"cut\.pkl"):
        load_arrays(path)


def test_absent_file(tmp_path):
    with pytest.raises(MGCError, match="cannot be read"):
        load_arrays(tmp_path / "absent.pkl")
