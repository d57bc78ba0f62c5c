"""How the albedo of synthetic faces is drawn: by a skin model where the face model has one, else linearly."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mgc_lightning.face_models.face_model import FaceModel
from mgc_lightning.synthetic.skin import SkinSampler, has_skin, linear_to_srgb

_LIMIT = 3.0


class Complexion(nn.Module):
    """Draw numbers on the CPU, turn them into vertex colours on any device: base class."""

    def draw(self, generator: torch.Generator, n: int) -> Float[Tensor, "n C"]:
        """Draw the numbers of n people, on the CPU."""
        raise NotImplementedError

    def forward(self, numbers: Float[Tensor, "n C"]) -> Float[Tensor, "n N 3"]:
        """Give display-space RGB in [0, 1] at the vertices of the level."""
        raise NotImplementedError

    def hair_colour(self, numbers: Float[Tensor, "n C"]) -> Float[Tensor, "n 3"]:
        """Give the display-space colour of the hair; dark brown where the numbers do not say."""
        return numbers.new_tensor([0.2, 0.14, 0.1]).expand(len(numbers), -1)


class SkinComplexion(Complexion):
    """Draw pigments: what makes pictures, so that the network's linear albedo basis never fits them exactly."""

    def __init__(self, face_model: FaceModel) -> None:
        super().__init__()
        self.sampler = SkinSampler(face_model)

    def draw(self, generator: torch.Generator, n: int) -> Float[Tensor, "n C"]:
        """Draw pigments, hair and eyes."""
        return self.sampler.sample_latents(generator, n)

    def forward(self, numbers: Float[Tensor, "n C"]) -> Float[Tensor, "n N 3"]:
        """Paint skin."""
        return self.sampler.albedo(numbers)

    def hair_colour(self, numbers: Float[Tensor, "n C"]) -> Float[Tensor, "n 3"]:
        """Give the display-space colour of hair and brows."""
        return linear_to_srgb(numbers[:, self.sampler.slices["hair_colour"]])


class LinearComplexion(Complexion):
    """Draw from the face model's own albedo basis: for models that come without a skin model."""

    def __init__(self, face_model: FaceModel) -> None:
        super().__init__()
        self.size = face_model.layout.albedo
        self.register_buffer("mean", face_model.albedo_mean.flatten().clone(), persistent=False)
        self.register_buffer("basis", face_model.albedo_basis.flatten(1).clone(), persistent=False)

    def draw(self, generator: torch.Generator, n: int) -> Float[Tensor, "n C"]:
        """Draw normal coefficients."""
        return torch.randn(n, self.size, generator=generator).clamp(-_LIMIT, _LIMIT)

    def forward(self, numbers: Float[Tensor, "n C"]) -> Float[Tensor, "n N 3"]:
        """Evaluate the basis."""
        mean, basis = self.get_buffer("mean"), self.get_buffer("basis")
        return torch.clamp(mean + numbers @ basis, 0, 1).unflatten(-1, (-1, 3))


def make_complexion(face_model: FaceModel) -> Complexion:
    """Give the complexion for a face model.

    Example:
        >>> from mgc_lightning import load_face_model
        >>> model = load_face_model()
        >>> complexion = make_complexion(model)
        >>> colors = complexion(complexion.draw(torch.Generator().manual_seed(0), 2))
        >>> colors.shape, bool(colors.min() >= 0), bool(colors.max() <= 1)  # of two people
        (torch.Size([2, 4032, 3]), True, True)
    """
    return SkinComplexion(face_model) if has_skin(face_model) else LinearComplexion(face_model)


def paint_person(face_model: FaceModel, seed: int) -> Float[Tensor, "N 3"]:
    """Paint one person of the synthetic pictures: display-space RGB at the vertices; a seed is a person.

    Example:
        >>> from mgc_lightning.face_models import load_face_model
        >>> paint_person(load_face_model("makehuman"), 0).shape
        torch.Size([4032, 3])
    """
    complexion = make_complexion(face_model).to(face_model.mean.device)
    numbers = complexion.draw(torch.Generator().manual_seed(seed), 1)
    return complexion(numbers.to(face_model.mean))[0]
