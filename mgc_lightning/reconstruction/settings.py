"""What a reconstruction from photographs and videos is told; nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from mgc_lightning.arguments.checked import Checked
from mgc_lightning.arguments.types import AnyPath, Box, Count, FileOrFolder, Flag, Metavar, Seconds, Whole
from mgc_lightning.errors import MGCError
from mgc_lightning.photographs.settings import Convention, DetectorChoice

OUTPUT = "faces"
"""Folder that is written to where none is named."""
Faces = Literal["largest", "all"]
"""Which of the faces that are detected in a photograph."""
Mesh = Literal["auto", "yes", "no"]
"""Whether MediaPipe's face mesh is used: a detector's own, or looked for around landmarks that come without one. `auto`
is yes where the extra `detector` is installed."""


Part = Literal[
    "mesh", "texture", "coefficients", "landmarks", "overlay", "geometry", "depth", "crop", "views", "points", "sheet"
]
"""What can be written of a face: see `write_reconstruction`."""
PARTS: tuple[Part, ...] = get_args(Part)
LEAN: tuple[Part, ...] = ("mesh", "coefficients", "landmarks", "overlay")
"""What is written of each of several inputs where nothing is named."""
Parts = Annotated[tuple[Part, ...], Metavar("PART,..."), Flag(joined=True)]


@dataclass(frozen=True, kw_only=True)
class WhereSettings(Checked):
    """Where the face is (default: the detector says).

    Attributes:
        landmarks: 5 or 68 points in px of the photograph (.txt, .npy, .pts); a folder holds one file a photograph, by
            stem.
        convention: whose points the 68 are; ibug-2d for annotations in the picture (300-W, dlib).
        box: box around the face in px, hairline to chin, of one photograph or all frames; may be loose or tight.
        detector: finds the face where neither is given; auto is face-alignment where its weights are here or can be
            downloaded, else mediapipe where it is installed.
        weights: files or folders of face-alignment's weights.
        faces: of those that are detected.
    """

    landmarks: FileOrFolder | None = None
    convention: Convention = "ibug"
    box: Box | None = None
    detector: DetectorChoice = "auto"
    weights: tuple[AnyPath, ...] = ()
    faces: Faces = "largest"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.landmarks is not None and self.box is not None:
            raise MGCError("Give either `landmarks` or `box`, not both")


@dataclass(frozen=True, kw_only=True)
class PersonSettings(Checked):
    """How predictions are refined, and several photographs of one person.

    Attributes:
        refine: let the face follow the photograph's landmarks and colours, where there are 68 of them; off, what the
            network predicts stays.
        mesh: refine by MediaPipe's face mesh too, found around the landmarks whoever gave them: it holds the shape of a
            face; auto is yes where the extra `detector` is installed.
        same_person: one identity and albedo for all photographs.
        one_moment: they are of one moment and one light: compare them pixel by pixel too.
        steps: of that comparison.
    """

    refine: bool = True
    mesh: Mesh = "auto"
    same_person: bool = False
    one_moment: bool = False
    steps: Whole = 60


@dataclass(frozen=True, kw_only=True)
class FileSettings(Checked):
    """What is written.

    Attributes:
        write: parts of a photograph's face, such as mesh,overlay; if not given, all of a single input's, and of several
            the mesh, coefficients, landmarks and overlay.
        neutral: the shape without expression too.
        full_head: the whole head too, in the face model's vertex order.
        rig: the whole head with its expression directions as morph targets too, in face_rig.glb; of a video, animated.
        jpeg: pictures in the pixels of the photograph as JPEG, not PNG: of large ones in a tenth of the time and space.
    """

    write: Parts = ()
    neutral: bool = False
    full_head: bool = False
    rig: bool = False
    jpeg: bool = False


@dataclass(frozen=True, kw_only=True)
class ReconstructSettings(FileSettings, PersonSettings, WhereSettings):
    """Set how faces are reconstructed: where they are, whose they are, and what is written.

    Attributes:
        smooth: take out of videos what moves to and fro within so many seconds; 0 for nothing.
        batch_size: photographs at a time.

    Example:
        >>> settings = ReconstructSettings(box=(100, 50, 200, 180), neutral=True)
        >>> settings.faces, settings.batch_size, settings.neutral
        ('largest', 4, True)
    """

    smooth: Seconds = 0.0
    batch_size: Count = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.neutral or self.full_head) and self.write and "mesh" not in self.write:
            raise MGCError("`neutral` and `full_head` are meshes: `write` has to name `mesh` too")
        if self.one_moment and not self.same_person:
            raise MGCError("`one_moment=True` belongs to `same_person=True`")
        if self.same_person and not self.refine:
            raise MGCError("`same_person=True` refines: `refine=False` contradicts it")
