"""Open TensorFlow-1 checkpoints, through the extra `tensorflow`."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from mgc_lightning.errors import MGCError, require

SHARD = re.compile(r"^(?P<prefix>.*)\.data-(?P<index>\d{5})-of-(?P<count>\d{5})$")


class TensorFlowCheckpoint(Mapping[str, np.ndarray]):
    """Map variable names to arrays; arrays are read when asked for.

    Args:
        path: the prefix (`model-400000`), any of its files (`.index`, `.meta`, `.data-...`), a folder that
            holds one checkpoint, or a file of the older single-file format.

    Raises:
        MissingExtraError: if TensorFlow is not installed.
        MGCError: if files are missing or cannot be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.prefix = find_prefix(Path(path).expanduser())
        self.files = checkpoint_files(self.prefix)
        # Set before the first import: it logs its build options and CUDA's absence otherwise.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        tensorflow = require("tensorflow", "tensorflow")
        self._errors: tuple[type[Exception], ...] = (
            tensorflow.errors.OpError,
            ValueError,
            RuntimeError,
            LookupError,
        )
        try:
            self._reader = tensorflow.train.load_checkpoint(str(self.prefix))
            self.shapes = {name: tuple(shape) for name, shape in self._reader.get_variable_to_shape_map().items()}
        except self._errors as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> MGCError:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        return MGCError(
            f"{self.prefix} cannot be read as a TensorFlow checkpoint: {reason}. "
            "It may be cut off: fetch its files again."
        )

    def __getitem__(self, name: str) -> np.ndarray:
        """Read one variable."""
        if name not in self.shapes:
            raise KeyError(name)
        try:
            return np.asarray(self._reader.get_tensor(name))
        except self._errors as error:
            raise self._unreadable(error) from error

    def __contains__(self, name: object) -> bool:
        return name in self.shapes

    def __iter__(self) -> Iterator[str]:
        """Go over the names."""
        return iter(self.shapes)

    def __len__(self) -> int:
        """Count the variables."""
        return len(self.shapes)

    def sha256(self) -> str:
        """Hash all files, in the order of their names."""
        digest = hashlib.sha256()
        for file in self.files:
            with file.open("rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
        return digest.hexdigest()


def find_prefix(path: Path) -> Path:
    """Resolve what a user may give to a checkpoint's prefix.

    Raises:
        MGCError: if there is nothing, or a folder holds no checkpoint or more than one.

    Example:
        >>> find_prefix(Path("model-400000.data-00000-of-00001")).name, find_prefix(Path("model-400000.index")).name
        ('model-400000', 'model-400000')
    """
    if path.is_dir():
        prefixes = sorted({file.with_suffix("") for file in path.glob("*.index")})
        if len(prefixes) != 1:
            found = ", ".join(prefix.name for prefix in prefixes) or "none"
            raise MGCError(f"Expected one checkpoint (*.index) in {path}, found {found}: name one")
        return prefixes[0]
    shard = SHARD.match(path.name)
    if shard:
        return path.with_name(shard["prefix"])
    return path.with_suffix("") if path.suffix in (".index", ".meta") else path


def checkpoint_files(prefix: Path) -> list[Path]:
    """List the files of a checkpoint.

    Raises:
        MGCError: if the index or a shard is missing, by name.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("model-1.index", "model-1.data-00000-of-00001", "model-2.index"):
        ...     (folder / name).touch()
        >>> [file.name for file in checkpoint_files(folder / "model-1")]
        ['model-1.index', 'model-1.data-00000-of-00001']
    """
    index = prefix.with_name(prefix.name + ".index")
    shards = {}
    for file in prefix.parent.glob("*") if prefix.parent.is_dir() else ():
        match = SHARD.match(file.name)
        if match and match["prefix"] == prefix.name and file.is_file():
            shards[int(match["index"])] = (int(match["count"]), file)
    if not index.is_file():
        if prefix.is_file() and not shards:
            return [prefix]
        what = f"{index.name} is missing beside its shards" if shards else "there is no such file"
        raise MGCError(
            f"No TensorFlow checkpoint at {prefix}: {what}. A checkpoint is {prefix.name}.index with "
            f"{prefix.name}.data-00000-of-00001; give their common prefix."
        )
    count = max((total for total, _ in shards.values()), default=1)
    missing = [f"{prefix.name}.data-{i:05d}-of-{count:05d}" for i in range(count) if i not in shards]
    if missing:
        raise MGCError(f"The checkpoint {prefix} is incomplete: {', '.join(missing)} is missing")
    return [index, *(file for _, file in sorted(shards.values()))]
