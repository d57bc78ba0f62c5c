"""The numbers behind a synthetic sample, drawn on the CPU from its address alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.synthetic.backgrounds import draw_background
from mgc_lightning.synthetic.camera_noise import draw_camera
from mgc_lightning.synthetic.complexion import Complexion
from mgc_lightning.synthetic.expression import ExpressionSampler
from mgc_lightning.synthetic.glasses import draw_glasses
from mgc_lightning.synthetic.hair import draw_hair
from mgc_lightning.synthetic.head import has_head
from mgc_lightning.synthetic.leaves import draw_leaves
from mgc_lightning.synthetic.light import draw_lamp, draw_light
from mgc_lightning.synthetic.occluders import SHAPES, draw_occluder
from mgc_lightning.synthetic.poses import draw_misalignments, draw_pitches, draw_yaws
from mgc_lightning.synthetic.settings import SyntheticSettings
from mgc_lightning.synthetic.shapes import pack_shapes
from mgc_lightning.synthetic.streams import Split, stream
from mgc_lightning.synthetic.surface import KEY_NUMBERS, draw_skin
from mgc_lightning.synthetic.viewpoint import draw_viewpoints

Latents = dict[str, Tensor]
"""Names to tensors: one sample's with views first (V, ...), or a batch's (B, V, ...); `link` has no view axis."""
_IDENTITY_LIMIT = 3.0
LINKED, UNLINKED, SINGLE = "linked", "unlinked", "single"


class LatentSampler:
    """Draw the latents of samples; the same seed, split and index always give the same ones.

    Args:
        face_model: for the sizes and names of its coefficients.
        complexion: how albedo is drawn.
        settings: distributions.
        seed: of the data.
        views: V of every sample.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> from mgc_lightning.synthetic import SyntheticSettings, make_complexion
        >>> model = load_face_model()
        >>> sampler = LatentSampler(model, make_complexion(model), SyntheticSettings(linked=1.0, unlinked=0.0), seed=3)
        >>> first, again = sampler.draw("train", 7), sampler.draw("train", 7)
        >>> bool((first["identity"] == again["identity"]).all()), first["identity"].shape
        (True, torch.Size([3, 80]))
    """

    def __init__(
        self,
        face_model: FaceModel,
        complexion: Complexion,
        settings: SyntheticSettings,
        seed: int = 0,
        views: int = 3,
    ) -> None:
        if views < 1:
            raise MGCError(f"Expected at least one view, got views={views}")
        self.identity_size = face_model.layout.identity
        self.expressions = ExpressionSampler(
            face_model.expression_names, face_model.expression_sigma, settings.expression, settings.neutral
        )
        self.has_head = has_head(face_model)
        self.complexion = complexion
        self.settings = settings
        self.seed = seed
        self.views = views

    def draw(self, split: Split, index: int) -> Latents:
        """Draw the latents of one sample.

        Returns:
            float32 tensors with the views first: identity (V, I), complexion (V, C), expression (V, E), light (V, 27),
            yaw (V,) and pitch (V,) in degrees, misalignment (V, 4), ramp, grids, shapes (backgrounds), occluder,
            camera, landmark_noise; int64: link (), person and moment (V,), the first view that shows the same ones.
        """
        kind = self._kind(split, index)

        def views(purpose: str, draw: Callable[[torch.Generator, int], Tensor], shared: bool) -> Tensor:
            rng = stream(self.seed, split, index, purpose)
            generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
            return draw(generator, 1).expand(self.views, -1) if shared else draw(generator, self.views)

        same_person, same_moment = kind != SINGLE, kind == LINKED
        arrays = {
            **self._lights(split, index, same_moment),
            **self._wardrobe(split, index, same_person, same_moment),
            **self._pose(split, index, same_moment),
            **self._surroundings(split, index),
        }
        arrays["occluder"] = self._occluders(split, index, arrays["yaw"])
        arrays["camera"] = draw_camera(
            stream(self.seed, split, index, "camera"), self.settings, self.views, same_moment
        )
        latents = {name: torch.from_numpy(array.astype(np.float32)) for name, array in arrays.items()}
        latents["identity"] = views("identity", self._identities, same_person)
        latents["complexion"] = views("complexion", self.complexion.draw, same_person)
        latents["expression"] = views("expression", self.expressions.draw, same_moment)
        latents["link"] = torch.tensor(2 if same_moment else 0)
        own = torch.arange(self.views)
        latents["person"] = torch.zeros_like(own) if same_person else own
        latents["moment"] = torch.zeros_like(own) if same_moment else own
        return latents

    def _kind(self, split: Split, index: int) -> str:
        share = stream(self.seed, split, index, "kind").random()
        if share < self.settings.linked:
            return LINKED
        return UNLINKED if share < self.settings.linked + self.settings.unlinked else SINGLE

    def _identities(self, generator: torch.Generator, n: int) -> Tensor:
        return torch.randn(n, self.identity_size, generator=generator).clamp(-_IDENTITY_LIMIT, _IDENTITY_LIMIT)

    def _lights(self, split: Split, index: int, same_moment: bool) -> dict[str, np.ndarray]:
        rng = stream(self.seed, split, index, "light")
        lights = np.stack([draw_light(rng) for _ in range(1 if same_moment else self.views)])
        drawn = {"light": np.broadcast_to(lights, (self.views, lights.shape[1]))}
        if self.settings.gloss or self.settings.shadows:
            rng = stream(self.seed, split, index, "lamp")
            rest, lamps = zip(*(draw_lamp(rng, light, self.settings.shadows) for light in lights), strict=True)
            drawn["light"] = np.broadcast_to(np.stack(rest), drawn["light"].shape)
            drawn["lamp"] = np.broadcast_to(np.stack(lamps), (self.views, KEY_NUMBERS))
        return drawn

    def _wardrobe(self, split: Split, index: int, same_person: bool, same_moment: bool) -> dict[str, np.ndarray]:
        """Draw hair and glasses of each moment, and the skin of each person."""
        drawn: dict[str, np.ndarray] = {}
        if not self.has_head:
            return drawn

        def views(
            purpose: str, draw: Callable[[np.random.Generator, SyntheticSettings], np.ndarray], one: bool
        ) -> None:
            rng = stream(self.seed, split, index, purpose)
            rows = np.stack([draw(rng, self.settings) for _ in range(1 if one else self.views)])
            drawn[purpose] = np.broadcast_to(rows, (self.views, rows.shape[1]))

        if self.settings.hair:
            views("hair", draw_hair, same_moment)
        if self.settings.glasses:
            views("glasses", draw_glasses, same_moment)
        if self.settings.skin_detail or self.settings.gloss:
            views("skin_detail", draw_skin, same_person)
        return drawn

    def _pose(self, split: Split, index: int, linked: bool) -> dict[str, np.ndarray]:
        rng = stream(self.seed, split, index, "pose")
        arrays = {
            "yaw": draw_yaws(rng, self.settings, self.views, linked),
            "pitch": draw_pitches(rng, self.settings, self.views, linked),
            "misalignment": draw_misalignments(rng, self.settings, self.views),
        }
        if self.settings.photographed:
            arrays["viewpoint"] = draw_viewpoints(
                stream(self.seed, split, index, "viewpoint"), self.settings, self.views, linked
            )
        if self.settings.landmark_noise > 0:
            noise = stream(self.seed, split, index, "landmarks").normal(0, 1, (self.views, 68, 2))
            arrays["landmark_noise"] = noise * self.settings.landmark_noise
        return arrays

    def _surroundings(self, split: Split, index: int) -> dict[str, np.ndarray]:
        rng = stream(self.seed, split, index, "background")
        drawn = [draw_background(rng, hair=not self.settings.hair) for _ in range(self.views)]
        arrays = {name: np.stack([one[name] for one in drawn]) for name in drawn[0]}
        if self.settings.natural_backgrounds:
            rng = stream(self.seed, split, index, "leaves")
            rows = np.stack([draw_leaves(rng) for _ in range(self.views)])
            natural = rng.random((self.views, 1)) < self.settings.natural_backgrounds
            arrays["leaves"] = np.concatenate([rows, natural], axis=1)
        return arrays

    def _occluders(self, split: Split, index: int, yaws: np.ndarray) -> np.ndarray:
        rng = stream(self.seed, split, index, "occluder")
        nothing = pack_shapes([], SHAPES)
        return np.stack(
            [draw_occluder(rng, yaw) if rng.random() < self.settings.occluders else nothing for yaw in yaws]
        )
