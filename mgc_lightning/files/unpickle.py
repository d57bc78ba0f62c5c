"""Read pickles of arrays without running what they ask for."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

from mgc_lightning.errors import MGCError
from mgc_lightning.files.arrays import read_header, read_npy
from mgc_lightning.files.pickle_limits import check_opcodes
from mgc_lightning.files.reading import excerpt, reason

LARGEST = 2 * 2**30
"""Bytes of a pickle; FLAME has 50 million."""


class ArrayShell:
    """Stand in for an object of chumpy or scipy.sparse: keep its state, do nothing."""

    def __init__(self, *args: Any) -> None:
        self.state: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        self.state = state if isinstance(state, dict) else {}


class ChumpyShell(ArrayShell):
    """Stand in for a chumpy array, whose values are its entry `x`."""


class SparseShell(ArrayShell):
    """Stand in for a compressed sparse matrix."""

    column_major = False


class CSCShell(SparseShell):
    """Stand in for a matrix compressed by columns."""

    column_major = True


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Give the bytes that Python 2's pickles wrote as text."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"an encoding `{encoding}`")
    return text.encode("latin1")


def _reconstruct_shell(cls: type, base: type, state: Any) -> Any:
    """Make an empty shell, as Python 2's pickles make an object without calling its class."""
    if not (isinstance(cls, type) and issubclass(cls, ArrayShell)):
        raise pickle.UnpicklingError("an object that is no array")
    return cls()


class _Array:
    """Stand for numpy's array where a pickle names it: called, it could take any memory."""

    def __new__(cls, *args: Any) -> Any:
        raise pickle.UnpicklingError("an array that is not made of its bytes")


def _reconstruct(cls: type, shape: Any, kind: Any) -> Any:
    """Make the empty array that numpy's pickles begin with; its values come later, with their bytes."""
    if cls is not _Array or tuple(shape) != (0,):
        raise pickle.UnpicklingError("an array that is not made of its bytes")
    return _MULTIARRAY._reconstruct(np.ndarray, (0,), kind)


def _scalar(dtype: Any, value: Any = None) -> Any:
    """Make a number of its bytes."""
    if isinstance(value, str):
        value = value.encode("latin1")
    if not isinstance(dtype, np.dtype) or dtype.hasobject or not isinstance(value, bytes):
        raise pickle.UnpicklingError("a number that is not made of its bytes")
    return _MULTIARRAY.scalar(dtype, value)


def _dtype(name: Any, *copy: Any) -> Any:
    """Make a type of its short name, as numpy's pickles do; fields come with its state."""
    if not isinstance(name, str | bytes) or len(name) > 32:
        raise pickle.UnpicklingError("a type without a name")
    return np.dtype(name if isinstance(name, str) else name.decode("latin1"), *copy)


_CORE: Any = getattr(np, "_core", None) or np.core  # numpy 1 has `core` alone
_MULTIARRAY = _CORE.multiarray


def _numpy_names() -> dict[tuple[str, str], Any]:
    names: dict[tuple[str, str], Any] = {("numpy", "ndarray"): _Array, ("numpy", "dtype"): _dtype}
    for core in ("numpy.core", "numpy._core"):
        names[f"{core}.multiarray", "_reconstruct"] = _reconstruct
        names[f"{core}.multiarray", "scalar"] = _scalar
        names[f"{core}.numeric", "_frombuffer"] = _CORE.numeric._frombuffer
    return names


def _sparse_names() -> dict[tuple[str, str], type]:
    shells: dict[str, type] = {"csr": SparseShell, "csc": CSCShell}
    return {
        (module.format(kind), f"{kind}_{form}"): shell
        for kind, shell in shells.items()
        for form in ("matrix", "array")
        for module in ("scipy.sparse.{}", "scipy.sparse._{}", "scipy.sparse")
    }


ADMITTED: dict[tuple[str, str], Any] = {
    **_numpy_names(),
    **_sparse_names(),
    ("_codecs", "encode"): _encode,
    ("copy_reg", "_reconstructor"): _reconstruct_shell,
    ("copyreg", "_reconstructor"): _reconstruct_shell,
    ("__builtin__", "object"): object,
    ("builtins", "object"): object,
}
"""Everything that a pickle may name, besides chumpy's classes."""


class ArrayUnpickler(pickle.Unpickler):
    """Unpickle plain values, numpy arrays, and shells of scipy.sparse matrices and chumpy arrays; nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Resolve a name by the list of what is admitted.

        Raises:
            pickle.UnpicklingError: for any other name, before anything is called.
        """
        if (module, name) in ADMITTED:
            return ADMITTED[module, name]
        if module.split(".")[0] == "chumpy":
            return ChumpyShell
        raise pickle.UnpicklingError(f"`{excerpt(module)}.{excerpt(name)}`")


def _load(data: bytes) -> Any:
    """Follow a pickle whose sizes were looked at."""
    check_opcodes(data)
    return plain(ArrayUnpickler(io.BytesIO(data), encoding="latin1").load())


def load_arrays(path: str | Path) -> Any:
    """Read a pickle, or a `.npy` file that holds one, of plain values and arrays.

    Written by Python 2 or 3. Sparse matrices come back as scipy's, chumpy arrays as numpy's.

    Raises:
        MGCError: if the file is absent or cut off, or asks for anything but arrays; nothing of it is run.

    Example:
        >>> import pickle, tempfile
        >>> path = Path(tempfile.mkdtemp()) / "model.pkl"
        >>> _ = path.write_bytes(pickle.dumps({"v_template": np.zeros((5, 3))}, protocol=2))
        >>> load_arrays(path)["v_template"].shape
        (5, 3)
    """
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST:
            raise MGCError(f"{path}: expected a pickle of at most {LARGEST / 2**30:.0f} GB")
        data = path.read_bytes()
        return _load_npy(path, data) if data.startswith(b"\x93NUMPY") else _load(data)
    except MGCError:
        raise
    except pickle.UnpicklingError as error:
        raise MGCError(
            f"{path} is refused: its pickle asks for {error}, and only arrays of numpy, scipy.sparse and chumpy "
            "are admitted. Nothing of it was run."
        ) from error
    except OSError as error:
        raise MGCError(f"{path} cannot be read ({reason(error)})") from error
    # A cut or foreign stream ends in any of many errors inside the unpickler or numpy.
    except Exception as error:
        raise MGCError(f"{path} cannot be read as a pickle of arrays, it may be cut off ({reason(error)})") from error


def _load_npy(path: Path, data: bytes) -> Any:
    stream = io.BytesIO(data)
    shape, _, dtype = read_header(stream)
    if not dtype.hasobject:
        return read_npy(path)
    value = _load(stream.read())
    return value.item() if shape == () and isinstance(value, np.ndarray) else value


def plain(value: Any) -> Any:
    """Turn shells into arrays, through dictionaries, lists and object arrays.

    Example:
        >>> shell = ChumpyShell()
        >>> shell.__setstate__({"x": np.ones(3)})
        >>> plain({"J": shell})["J"].tolist()
        [1.0, 1.0, 1.0]
    """
    return _plain(value, {})


def _plain(value: Any, known: dict[int, Any]) -> Any:
    """Turn each object once: those that hold themselves have no end, those that are held often would become many."""
    if not isinstance(value, ArrayShell | dict | list | tuple | np.ndarray):
        return value
    if id(value) not in known:
        known[id(value)] = _UNFINISHED
        known[id(value)] = _turned(value, known)
    if known[id(value)] is _UNFINISHED:
        raise ValueError("an object that holds itself")
    return known[id(value)]


_UNFINISHED = object()


def _turned(value: Any, known: dict[int, Any]) -> Any:
    if isinstance(value, ChumpyShell):
        if not isinstance(value.state.get("x"), np.ndarray):
            raise ValueError("a chumpy expression without values")
        return value.state["x"]
    if isinstance(value, SparseShell):
        return _sparse(value)
    if isinstance(value, dict):
        return {_plain(key, known): _plain(entry, known) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(entry, known) for entry in value)
    if isinstance(value, np.ndarray) and value.dtype.hasobject:
        converted = np.empty(value.shape, dtype=object)
        for index, entry in np.ndenumerate(value):
            converted[index] = _plain(entry, known)
        return converted
    return value


def _sparse(shell: SparseShell) -> Any:
    state = shell.state
    build = scipy.sparse.csc_matrix if shell.column_major else scipy.sparse.csr_matrix
    shape = state.get("_shape", state.get("shape"))
    return build((state["data"], state["indices"], state["indptr"]), shape=shape)
