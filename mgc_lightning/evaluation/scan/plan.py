"""Which photographs are taken of a head: cameras, lights and backgrounds, all from one seed."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from mgc_lightning.evaluation.scan.points import UPRIGHT
from mgc_lightning.evaluation.scan.settings import Background, LightKind, PhotographSettings

LIGHTS, BACKGROUNDS = get_args(LightKind), get_args(Background)
BEHIND = 60.0
"""mm from the middle of the face back to the middle of the head, about which it is turned."""


@dataclass(frozen=True)
class Light:
    """Describe a light: ambient and one lamp, in the head's frame.

    Attributes:
        kind: one of `LIGHTS`.
        direction: unit vector from the face to the lamp.
        ambient: share of the ambient light, 0 to 1.
        lamp: RGB factor of the lamp (warm or cool).
        sky: RGB factor of the ambient light.
        exposure: factor of the exposure that the face asks for.
    """

    kind: LightKind
    direction: tuple[float, float, float]
    ambient: float
    lamp: tuple[float, float, float]
    sky: tuple[float, float, float]
    exposure: float


@dataclass(frozen=True)
class PhotographPlan:
    """Say how one photograph is taken.

    Attributes:
        name: of its file, without suffix.
        moment: number of the moment: photographs of one moment share head and light.
        distance: mm from the camera to the face, while the head is not turned.
        yaw: degrees; positive shows more of the subject's right side.
        pitch: degrees; positive looks down on the head.
        roll: degrees.
        K: (3, 3) px.
        T_cam_head: (4, 4) from the head's frame (`ScanHead.T_head_scan`).
        light: of its moment.
        background: one of `BACKGROUNDS`.
        noise: of white.
        quality: of JPEG.
        seed: of background and noise.
    """

    name: str
    moment: int
    distance: float
    yaw: float
    pitch: float
    roll: float
    K: Float[NDArray, "3 3"]
    T_cam_head: Float[NDArray, "4 4"]
    light: Light
    background: Background
    noise: float
    quality: int
    seed: tuple[int, ...] = field(default_factory=tuple)


def plan_photographs(head: str, settings: PhotographSettings) -> list[PhotographPlan]:
    """Plan the photographs of a head by its name and the seed; moments in order, their yaws in order.

    Example:
        >>> from mgc_lightning.evaluation.scan.settings import PhotographSettings
        >>> plans = plan_photographs("anna", PhotographSettings(distances=(0.4, 2.0)))
        >>> len(plans), plans[0].name, plans[0].light == plans[1].light  # two distances, two lights, five yaws
        (20, 'anna_0p40m_soft_0_yaw-53', True)
    """
    key = [settings.seed, zlib.crc32(head.encode())]
    plans: list[PhotographPlan] = []
    moments = [(distance, kind) for distance in settings.distances for kind in LIGHTS]
    for moment, (distance, kind) in enumerate(moments):
        light = _draw_light(np.random.default_rng([*key, moment, 1]), kind)
        for number, yaw in enumerate(settings.yaws):
            seed = (*key, moment, 2, number)
            # By turns along a moment and from one to the next, so that every yaw has both backgrounds.
            background = BACKGROUNDS[(moment + moment // 2 + number) % 2]
            plans.append(_draw_photograph(head, moment, number, distance, yaw, light, background, seed, settings))
    return plans


def _draw_light(rng: np.random.Generator, kind: LightKind) -> Light:
    if kind == "soft":
        azimuth, elevation, ambient = rng.uniform(-15, 15), rng.uniform(10, 35), rng.uniform(0.5, 0.7)
        warmth = rng.normal(0, 0.03)
    else:
        side = rng.choice([-1.0, 1.0])
        azimuth, elevation, ambient = side * rng.uniform(50, 80), rng.uniform(5, 35), rng.uniform(0.15, 0.3)
        warmth = rng.uniform(0.10, 0.2)
    a, e = np.radians(azimuth), np.radians(elevation)
    direction = (float(np.sin(a) * np.cos(e)), float(np.sin(e)), float(np.cos(a) * np.cos(e)))
    # A warm lamp leaves the rest of the room cooler.
    lamp, sky = _tint(warmth), _tint(-0.4 * warmth)
    return Light(kind, direction, float(ambient), lamp, sky, float(rng.uniform(0.85, 1.1)))


def _tint(warmth: float) -> tuple[float, float, float]:
    return (float(1 + warmth), 1.0, float(1 - 1.6 * warmth))


def _draw_photograph(
    head: str,
    moment: int,
    number: int,
    distance: float,
    yaw: float,
    light: Light,
    background: Background,
    seed: Sequence[int],
    settings: PhotographSettings,
) -> PhotographPlan:
    rng = np.random.default_rng([*seed])
    yaw = float(yaw + rng.uniform(-settings.yaw_jitter, settings.yaw_jitter))
    pitch = float(np.clip(rng.normal(0, settings.pitch), -2 * settings.pitch, 2 * settings.pitch))
    roll = float(np.clip(rng.normal(0, settings.roll), -2 * settings.roll, 2 * settings.roll))
    away, size = 1000.0 * distance, settings.image_size
    focal = size * away / rng.uniform(*settings.frame)
    K = np.array([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1.0]])
    # The head is not quite in the middle of the picture, and its face a little below.
    offset = np.array([rng.normal(0, 10), 25 + rng.normal(0, 10), away])
    T = camera_around(yaw, pitch, roll, offset)
    name = f"{head}_{_metres(distance)}_{light.kind}_{number}_yaw{yaw:+03.0f}"
    return PhotographPlan(
        name, moment, away, yaw, pitch, roll, K, T, light, background,
        settings.noise, int(rng.integers(settings.quality[0], settings.quality[1] + 1)), tuple(seed),
    )  # fmt: skip


def _metres(distance: float) -> str:
    return f"{distance:.2f}m".replace(".", "p")


def camera_around(yaw: float, pitch: float, roll: float, face: Float[NDArray, " 3"]) -> Float[NDArray, "4 4"]:
    """Place a head: turned by yaw, then pitch, then roll (degrees) about its middle.

    Args:
        yaw: degrees.
        pitch: degrees.
        roll: degrees.
        face: (3,) mm of the camera's frame, where the face is while the head is not turned.

    Example:
        >>> camera_around(0, 0, 0, np.array([0.0, 0.0, 700.0]))[:3, :3].round(6).diagonal().tolist()
        [1.0, -1.0, -1.0]
    """
    turned = Rotation.from_euler("yxz", [yaw, pitch, roll], degrees=True).as_matrix()
    T = np.eye(4)
    T[:3, :3] = np.diag([1.0, -1.0, -1.0]) @ turned
    centre = np.mean(UPRIGHT, axis=0) - np.array([0, 0, BEHIND])
    T[:3, 3] = face + np.array([0, 0, BEHIND]) - T[:3, :3] @ centre
    return T


def describe(plan: PhotographPlan) -> dict[str, Any]:
    """Put a plan into plain values."""
    light = plan.light
    return {
        "name": plan.name,
        "moment": plan.moment,
        "distance_mm": plan.distance,
        "yaw": plan.yaw,
        "pitch": plan.pitch,
        "roll": plan.roll,
        "K": plan.K.tolist(),
        "T_cam_head": plan.T_cam_head.tolist(),
        "light": {key: getattr(light, key) for key in Light.__dataclass_fields__},
        "background": plan.background,
        "noise": plan.noise,
        "quality": plan.quality,
    }
