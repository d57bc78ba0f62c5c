"""What the synthetic world is like: distributions of poses, samples and disturbances."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

from mgc_lightning.arguments.checked import Checked
from mgc_lightning.errors import MGCError

SHARES = ("linked", "unlinked", "yaw_frontal", "occluders", "expression", "neutral", "boxes", "hair", "hats", "glasses",
          "shadows", "natural_backgrounds", "monochrome", "motion")  # fmt: skip


@dataclass(frozen=True)
class SyntheticSettings(Checked):
    """Describe the distribution of synthetic samples.

    Attributes:
        linked: share of samples whose views are of one moment and one light (link 2).
        unlinked: share of samples of one person in several moments (link 0); the rest are single views: unrelated
            people (link 0), as in photo collections without identities.
        yaw_limit: largest |yaw| in degrees of a target view; sources may go a little further.
        yaw_frontal: share of targets drawn from a normal distribution of 20 degrees about the front instead of
            uniformly up to the limit.
        yaw_step: smallest and largest yaw in degrees between the target and each source of a linked sample.
        pitch_sigma: standard deviation of the pitch in degrees.
        alignment_jitter: strength of the misalignment of crops; 1 is what landmark detectors leave (3 % of scale,
            1.5 degrees, 1.5 px at 224 px), 0 none.
        expression: strength of expressions in 0..1.
        occluders: share of views with something before the face.
        camera_noise: strength of blur, noise, compression and colour changes; 0 switches them off.
        landmark_noise: standard deviation in px at 224 px of the error of landmarks, as a detector has it.
        neutral: share of faces that show next to no expression.
        camera_distance: nearest and farthest camera in mm, drawn evenly in its logarithm; the shape stays, the
            perspective of the picture changes. None for the nominal, far one.
        off_axis: standard deviation in degrees of how far a face lies off the camera's axis, right and down.
        boxes: share of crops that are cut by a box instead of by points, as detectors without landmarks give it.
        roll: standard deviation in degrees of the head's roll, which crops by boxes keep.
        point_bias: strength of the difference between the five points of a detector and the model's, one a sample.
        hair: share of heads with a volume of hair, with fringes, long hair and beards among them.
        hats: share of those with a cap or a scarf.
        glasses: share of faces with glasses.
        skin_detail: strength of mottling, freckles and bumps of the skin.
        gloss: strength of highlights on skin; eyes are wet where it is not 0.
        shadows: share of faces in the light of one lamp that casts shadows.
        natural_backgrounds: share of backgrounds with the statistics of photographs.
        monochrome: share of black and white pictures.
        motion: share of pictures with motion blur.
        supersampling: rays a pixel on each axis, for edges as a sensor sees them.

    Example:
        >>> nominal, photographs = SyntheticSettings(), SyntheticSettings.photographic(glasses=0.5)
        >>> nominal.photographed, photographs.photographed, photographs.glasses
        (False, True, 0.5)
    """

    linked: float = 0.4
    unlinked: float = 0.2
    yaw_limit: float = 80.0
    yaw_frontal: float = 0.3
    yaw_step: tuple[float, float] = (15.0, 35.0)
    pitch_sigma: float = 10.0
    alignment_jitter: float = 1.0
    expression: float = 1.0
    occluders: float = 0.3
    camera_noise: float = 1.0
    landmark_noise: float = 0.0
    neutral: float = 0.15
    camera_distance: tuple[float, float] | None = None
    off_axis: float = 0.0
    boxes: float = 0.0
    roll: float = 0.0
    point_bias: float = 0.0
    hair: float = 0.0
    hats: float = 0.0
    glasses: float = 0.0
    skin_detail: float = 0.0
    gloss: float = 0.0
    shadows: float = 0.0
    natural_backgrounds: float = 0.0
    monochrome: float = 0.0
    motion: float = 0.0
    supersampling: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "yaw_step", (float(self.yaw_step[0]), float(self.yaw_step[1])))
        bad = [name for name in SHARES if not 0 <= getattr(self, name) <= 1]
        if bad or self.linked + self.unlinked > 1 + 1e-9:
            raise MGCError(
                f"Shares must lie in [0, 1] and linked + unlinked must not exceed 1; "
                f"look at {bad or 'linked, unlinked'}"
            )
        pairs = ("yaw_step", "camera_distance")
        negative = [field.name for field in fields(self) if field.name not in pairs and getattr(self, field.name) < 0]
        if negative:
            raise MGCError(f"Expected no negative value, got {', '.join(negative)}")
        if not 0 < self.yaw_limit <= 88 or not 0 <= self.yaw_step[0] <= self.yaw_step[1] <= 60:
            raise MGCError(
                f"Expected 0 < yaw_limit <= 88 and 0 <= yaw_step[0] <= yaw_step[1] <= 60 degrees, "
                f"got {self.yaw_limit} and {self.yaw_step}"
            )
        if self.camera_distance is not None:
            near, far = (float(end) for end in self.camera_distance)
            if not 250 <= near <= far:
                raise MGCError(f"Expected 250 <= nearest <= farthest camera_distance in mm, got {(near, far)}")
            object.__setattr__(self, "camera_distance", (near, far))
        if not 1 <= self.supersampling <= 4:
            raise MGCError(f"Expected supersampling of 1 to 4 rays on each axis, got {self.supersampling}")

    @property
    def photographed(self) -> bool:
        """Whether cameras or crops differ from the nominal ones by more than `alignment_jitter`."""
        return self.camera_distance is not None or bool(self.off_axis or self.boxes or self.roll or self.point_bias)

    @classmethod
    def photographic(cls, **changes: Any) -> Self:
        """Give pictures that differ as photographs differ; `changes` are settings of your own."""
        settings: dict[str, Any] = {
            "linked": 0.0,
            "unlinked": 0.0,
            "yaw_limit": 75.0,
            "yaw_frontal": 0.6,
            "alignment_jitter": 1.0,
            "occluders": 0.15,
            "neutral": 0.35,
            "camera_distance": (350.0, 5000.0),
            "off_axis": 7.0,
            "boxes": 0.35,
            "roll": 9.0,
            "point_bias": 1.0,
            "hair": 0.9,
            "hats": 0.12,
            "glasses": 0.15,
            "skin_detail": 1.0,
            "gloss": 1.0,
            "shadows": 0.5,
            "natural_backgrounds": 0.7,
            "monochrome": 0.06,
            "motion": 0.06,
            "supersampling": 1.4,
        }
        return cls(**(settings | changes))
