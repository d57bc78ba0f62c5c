"""What the synthetic world is like: distributions of poses, samples and disturbances."""

from __future__ import annotations

from dataclasses import dataclass, fields

from mgc_lightning.errors import MGCError


@dataclass(frozen=True)
class SyntheticSettings:
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

    def __post_init__(self) -> None:
        object.__setattr__(self, "yaw_step", (float(self.yaw_step[0]), float(self.yaw_step[1])))
        shares = ("linked", "unlinked", "yaw_frontal", "occluders", "expression")
        bad = [name for name in shares if not 0 <= getattr(self, name) <= 1]
        if bad or self.linked + self.unlinked > 1 + 1e-9:
            raise MGCError(
                f"Shares must lie in [0, 1] and linked + unlinked must not exceed 1; "
                f"look at {bad or 'linked, unlinked'}"
            )
        negative = [field.name for field in fields(self) if field.name != "yaw_step" and getattr(self, field.name) < 0]
        if negative:
            raise MGCError(f"Expected no negative value, got {', '.join(negative)}")
        if not 0 < self.yaw_limit <= 88 or not 0 <= self.yaw_step[0] <= self.yaw_step[1] <= 60:
            raise MGCError(
                f"Expected 0 < yaw_limit <= 88 and 0 <= yaw_step[0] <= yaw_step[1] <= 60 degrees, "
                f"got {self.yaw_limit} and {self.yaw_step}"
            )
