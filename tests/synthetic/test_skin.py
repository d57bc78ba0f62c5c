import pytest
import torch

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import FaceModel, load_face_model_data
from mgc_lightning.synthetic.complexion import LinearComplexion, SkinComplexion, make_complexion
from mgc_lightning.synthetic.skin import SkinSampler, linear_to_srgb


@pytest.fixture(scope="module")
def data():
    return load_face_model_data("makehuman")


@pytest.fixture(scope="module")
def fine(data):
    return FaceModel(data, 1)


def draw(sampler: SkinSampler, n: int, seed: int = 0) -> torch.Tensor:
    return sampler.sample_latents(torch.Generator().manual_seed(seed), n)


def test_latents_repeat_and_do_not_depend_on_the_level(data, fine):
    sampler = SkinSampler(fine)
    coarse = SkinSampler(FaceModel(data, 0))
    torch.testing.assert_close(draw(sampler, 5), draw(coarse, 5), rtol=0, atol=0)
    assert not torch.equal(draw(sampler, 5), draw(sampler, 5, seed=1))
    fine_colours, coarse_colours = sampler.albedo(draw(sampler, 3)), coarse.albedo(draw(sampler, 3))
    torch.testing.assert_close(fine_colours[:, data.control_index], coarse_colours)


def test_colours_of_parts(fine):
    sampler = SkinSampler(fine)
    colours = sampler.albedo(draw(sampler, 64))
    assert colours.shape == (64, 16001, 3)
    assert colours.isfinite().all()
    assert colours.min() >= 0
    assert colours.max() <= 1

    def mean(name: str) -> torch.Tensor:
        return colours[:, fine.region(name)].mean(dim=1)

    skin = mean("cheek_l")
    # Skin is redder than green, and greener than blue; lips are redder than cheeks; pupils are dark.
    assert (skin[:, 0] > skin[:, 1]).all()
    assert (skin[:, 1] > skin[:, 2] - 0.02).all()
    lips = mean("lips")
    assert ((lips[:, 0] / lips[:, 1]) > (skin[:, 0] / skin[:, 1])).float().mean() > 0.9
    pupil = sampler.masks[sampler.mask_names.index("pupil")] > 0.5
    assert colours[:, pupil].max() < 0.12
    assert skin.mean(dim=1).min() < 0.45 < 0.75 < skin.mean(dim=1).max()


def test_more_melanin_is_darker_everywhere_on_the_skin(fine):
    sampler = SkinSampler(fine)
    latents = draw(sampler, 1).repeat(2, 1)
    latents[1, sampler.slices["melanin"]] += 0.5
    light, dark = sampler.albedo(latents)
    forehead = fine.region("forehead")
    assert (dark[forehead] < light[forehead]).all()
    torch.testing.assert_close(dark[fine.region("teeth")], light[fine.region("teeth")])


def test_the_linear_basis_spans_the_sampler(fine):
    """40 directions hold nearly all of the variance of new people."""
    sampler = SkinSampler(fine)
    offset = (sampler.albedo(draw(sampler, 64, seed=7)) - fine.albedo_mean).flatten(1)
    basis = torch.linalg.qr(fine.albedo_basis.flatten(1).T).Q
    left = offset - (offset @ basis) @ basis.T
    assert left.square().sum() / offset.square().sum() < 2e-3


def test_srgb_curve():
    value = torch.tensor([0.0, 0.0031308, 0.18, 0.5, 1.0], dtype=torch.float64)
    expected = torch.tensor([0.0, 0.04045, 0.46135613, 0.73535698, 1.0], dtype=torch.float64)
    torch.testing.assert_close(linear_to_srgb(value), expected, atol=1e-5, rtol=0)


def test_a_model_without_skin_is_painted_linearly(data):
    from dataclasses import replace

    bare = FaceModel(replace(data, extras={}))
    with pytest.raises(MGCError, match="no procedural skin"):
        SkinSampler(bare)
    assert isinstance(make_complexion(bare), LinearComplexion)
    assert isinstance(make_complexion(FaceModel(data)), SkinComplexion)


def test_wrong_latents_are_refused(fine):
    with pytest.raises(ValueError, match="skin latents, got 3"):
        SkinSampler(fine).albedo(torch.zeros(1, 3))
