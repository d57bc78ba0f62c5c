"""What became of the inputs of a reconstruction."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mgc_lightning.files.text import write_json
from mgc_lightning.reconstruction.recrop import SettledCrop
from mgc_lightning.reconstruction.result import Reconstruction
from mgc_lightning.reconstruction.video import VideoFaces


@dataclass(frozen=True)
class Done:
    """Tell of a face, of a photograph or a video, that was reconstructed and written.

    Attributes:
        input: the file that shows it.
        folder: where it is written.
        files: what is written there.
        face: the face itself; None where it was not to be kept.
        settled: how the crop came to stand, where a box said where the face is.
        refined: whether it follows the photograph's landmarks, or is what the network predicts.
        by_mesh: whether it follows MediaPipe's face mesh too.
    """

    input: Path
    folder: Path
    files: list[Path]
    face: Reconstruction | VideoFaces | None = None
    settled: SettledCrop | None = None
    refined: bool = False
    by_mesh: bool = False

    def __str__(self) -> str:
        """Say in a line what was written."""
        text = f"{self.input}: {len(self.files)} files in {self.folder}"
        if isinstance(self.face, VideoFaces):
            known = self.face.known
            text += f"; {int((~known).sum())} of {len(known)} frames without a face"
        if self.settled is not None and not self.settled.converged:
            text += "; the network may not have found the face of the box: look at the overlay, or give `landmarks`"
        return text

    def row(self) -> dict[str, Any]:
        """Give the line of report.json."""
        row: dict[str, Any] = {"input": str(self.input), "folder": self.folder.name}
        if not isinstance(self.face, VideoFaces):
            row["refined"] = self.refined
        if self.by_mesh:
            row["mesh"] = True
        if self.settled is not None:
            row["box"] = {
                "cut_again": self.settled.steps,
                "converged": self.settled.converged,
                "movement": round(self.settled.movement, 5),
                "agreement": round(self.settled.agreement, 3),
            }
        return row


@dataclass(frozen=True)
class Refused:
    """Tell of a file that could not be used, and why."""

    input: Path
    reason: str

    def __str__(self) -> str:
        """Give the reason, which names the file."""
        return self.reason


@dataclass
class RunReport:
    """Collect what became of the inputs.

    Attributes:
        output: folder of everything that was written.
        done: a face each, in the order of the inputs; photographs may have several.
        failed: inputs that could not be used.
        skipped: files of folders that are neither photographs nor videos.
        shared: the shape without expression that all photographs of one person share, where there is one.

    Example:
        >>> import json, tempfile
        >>> report = RunReport(Path(tempfile.mkdtemp()))
        >>> report.failed.append(Refused(Path("photos/7.jpg"), "no face"))
        >>> report.write()
        >>> sorted(json.loads(report.path.read_text()))
        ['done', 'failed', 'skipped']
    """

    output: Path
    done: list[Done] = field(default_factory=list)
    failed: list[Refused] = field(default_factory=list)
    skipped: list[Refused] = field(default_factory=list)
    shared: Path | None = None

    @property
    def path(self) -> Path:
        """Where it is written."""
        return self.output / "report.json"

    def write(self) -> None:
        """Write all of it as JSON."""
        content: dict[str, Any] = {"done": [done.row() for done in self.done]}
        for part in ("failed", "skipped"):
            content[part] = [{"input": str(row.input), "reason": row.reason} for row in getattr(self, part)]
        write_json(self.path, content)
