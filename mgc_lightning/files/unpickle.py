"""Read pickles of arrays without running what they ask for."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import scipy.sparse

from mgc_lightning.errors import MGCError


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


def _numpy_names() -> dict[tuple[str, str], Any]:
    own: Any = getattr(np, "_core", None) or np.core  # numpy 1 has `core` alone
    names: dict[tuple[str, str], Any] = {("numpy", "ndarray"): np.ndarray, ("numpy", "dtype"): np.dtype}
    for core in ("numpy.core", "numpy._core"):
        for name in ("_reconstruct", "scalar"):
            names[f"{core}.multiarray", name] = getattr(own.multiarray, name)
        names[f"{core}.numeric", "_frombuffer"] = own.numeric._frombuffer
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
        raise pickle.UnpicklingError(f"`{module}.{name}`")


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
        with path.open("rb") as stream:
            if stream.read(6) == b"\x93NUMPY":
                stream.seek(0)
                return _load_npy(stream)
            stream.seek(0)
            return plain(ArrayUnpickler(stream, encoding="latin1").load())
    except pickle.UnpicklingError as error:
        raise MGCError(
            f"{path} is refused: its pickle asks for {error}, and only arrays of numpy, scipy.sparse and chumpy "
            "are admitted. Nothing of it was run."
        ) from error
    except OSError as error:
        raise MGCError(f"{path} cannot be read ({error})") from error
    # A cut or foreign stream ends in any of many errors inside the unpickler or numpy.
    except Exception as error:
        raise MGCError(f"{path} cannot be read as a pickle of arrays, it may be cut off ({error})") from error


def _load_npy(stream: BinaryIO) -> Any:
    version = np.lib.format.read_magic(stream)
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    shape, _, dtype = read_header[version](stream)
    if not dtype.hasobject:
        stream.seek(0)
        return np.lib.format.read_array(stream, allow_pickle=False)
    value = plain(ArrayUnpickler(io.BytesIO(stream.read()), encoding="latin1").load())
    return value.item() if shape == () and isinstance(value, np.ndarray) else value


def plain(value: Any) -> Any:
    """Turn shells into arrays, through dictionaries, lists and object arrays.

    Example:
        >>> shell = ChumpyShell()
        >>> shell.__setstate__({"x": np.ones(3)})
        >>> plain({"J": shell})["J"].tolist()
        [1.0, 1.0, 1.0]
    """
    if isinstance(value, ChumpyShell):
        if not isinstance(value.state.get("x"), np.ndarray):
            raise ValueError("a chumpy expression without values")
        return value.state["x"]
    if isinstance(value, SparseShell):
        return _sparse(value)
    if isinstance(value, dict):
        return {plain(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(plain(entry) for entry in value)
    if isinstance(value, np.ndarray) and value.dtype.hasobject:
        converted = np.empty(value.shape, dtype=object)
        for index, entry in np.ndenumerate(value):
            converted[index] = plain(entry)
        return converted
    return value


def _sparse(shell: SparseShell) -> Any:
    state = shell.state
    build = scipy.sparse.csc_matrix if shell.column_major else scipy.sparse.csr_matrix
    shape = state.get("_shape", state.get("shape"))
    return build((state["data"], state["indices"], state["indptr"]), shape=shape)
