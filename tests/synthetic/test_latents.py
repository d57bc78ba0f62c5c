"""Numbers behind samples: addresses, kinds of samples, distributions."""

from typing import get_args

import numpy as np
import pytest
import torch

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import load_face_model
from mgc_lightning.rendering.lighting import sh_basis, shade
from mgc_lightning.synthetic.complexion import LinearComplexion, SkinComplexion, make_complexion
from mgc_lightning.synthetic.expression import ExpressionSampler
from mgc_lightning.synthetic.latents import LatentSampler
from mgc_lightning.synthetic.light import ambient_harmonics, directional_harmonics, draw_light, harmonics
from mgc_lightning.synthetic.poses import draw_yaws
from mgc_lightning.synthetic.settings import SyntheticSettings
from mgc_lightning.synthetic.streams import Split, stream

FACE_MODEL = load_face_model()
LINKED = SyntheticSettings(linked=1, unlinked=0)
UNLINKED = SyntheticSettings(linked=0, unlinked=1)
SINGLE = SyntheticSettings(linked=0, unlinked=0)


DEFAULTS = SyntheticSettings()


def sampler(settings: SyntheticSettings = DEFAULTS, **changes) -> LatentSampler:
    return LatentSampler(FACE_MODEL, make_complexion(FACE_MODEL), settings, **changes)


def test_a_stream_is_its_address():
    def numbers(*address):
        return tuple(stream(*address).random(4))

    assert numbers(1, "train", 5, "pose") == numbers(1, "train", 5, "pose")
    addresses = [
        (seed, split, index, purpose)
        for seed in (0, 1)
        for split in get_args(Split)
        for index in (0, 1, 2**55)
        for purpose in ("pose", "light")
    ]
    assert len({numbers(*address) for address in addresses}) == len(addresses)


@pytest.mark.parametrize(
    ("address", "message"),
    [((0, "dev", 0), "split"), ((0, "val", -1), "index"), ((0, "val", 2**56), "index"), ((-1, "val", 0), "seed")],
)
def test_bad_addresses_are_refused(address, message):
    with pytest.raises(MGCError, match=message):
        stream(*address, "pose")


def test_latents_depend_on_seed_split_and_index_alone():
    first, second = sampler().draw("train", 3), sampler().draw("train", 3)
    assert all(torch.equal(first[name], second[name]) for name in first)
    others = [sampler().draw("train", 4), sampler().draw("val", 3), sampler(seed=1).draw("train", 3)]
    assert not any(torch.equal(first["identity"], other["identity"]) for other in others)


def test_other_disturbances_leave_the_faces_alone():
    plain = sampler(SyntheticSettings(occluders=0, camera_noise=0)).draw("train", 0)
    disturbed = sampler(SyntheticSettings(occluders=1, camera_noise=1, landmark_noise=2)).draw("train", 0)
    for name in ("identity", "complexion", "expression", "light", "yaw", "ramp"):
        assert torch.equal(plain[name], disturbed[name])
    assert plain["occluder"][..., 11].max() == 0
    assert (disturbed["occluder"][..., 11].amax(1) > 0).all()
    assert set(disturbed) - set(plain) == {"landmark_noise"}


@pytest.mark.parametrize(
    ("settings", "link", "same", "different"),
    [
        (LINKED, 2, ["identity", "complexion", "expression", "light"], ["yaw", "ramp", "camera"]),
        (UNLINKED, 0, ["identity", "complexion"], ["expression", "light", "yaw", "ramp", "camera"]),
        (SINGLE, 0, [], ["identity", "complexion", "expression", "light", "yaw", "ramp", "camera"]),
    ],
    ids=["linked", "unlinked", "single"],
)
def test_views_share_what_their_kind_says(settings, link, same, different):
    for index in range(5):
        latents = sampler(settings).draw("train", index)
        assert latents["link"] == link
        for name in same + different:
            equal = [torch.equal(latents[name][0], latents[name][view]) for view in (1, 2)]
            assert equal == [name in same] * 2, name


def test_kinds_come_in_the_given_shares():
    draw = sampler(SyntheticSettings(linked=0.4, unlinked=0.3)).draw
    linked, same_person = [], []
    for index in range(300):
        latents = draw("train", index)
        linked.append(latents["link"] == 2)
        same_person.append(torch.equal(latents["identity"][0], latents["identity"][1]))
    assert abs(np.mean(linked) - 0.4) < 0.09
    assert abs(np.mean(same_person) - 0.7) < 0.09


@pytest.mark.parametrize("views", [1, 2, 5])
def test_any_number_of_views(views):
    latents = sampler(views=views).draw("val", 0)
    assert {len(value) for name, value in latents.items() if name != "link"} == {views}


def test_identities_are_standard_normal():
    drawn = torch.stack([sampler(LINKED).draw("train", index)["identity"][0] for index in range(200)])
    assert abs(drawn.mean()) < 0.03
    assert abs(drawn.std() - 1) < 0.03


def test_linked_yaws_step_to_both_sides_and_reach_beyond_sixty_degrees():
    rng = np.random.default_rng(0)
    yaws = np.stack([draw_yaws(rng, LINKED, 3, linked=True) for _ in range(2000)])
    target, steps = yaws[:, 0], yaws[:, 1:] - yaws[:, :1]
    assert (steps[:, 0] < 0).all()
    assert (steps[:, 1] > 0).all()
    assert np.abs(yaws).max() <= 88
    assert np.abs(target).max() <= 80
    inside = np.abs(target) < 50
    assert (np.abs(steps[inside]) >= 15 - 1e-6).all()
    assert (np.abs(steps) <= 35 + 1e-6).all()
    shares = [np.mean(np.abs(target) < 30), np.mean((np.abs(target) > 30) & (np.abs(target) < 60))]
    shares.append(np.mean(np.abs(target) > 60))
    np.testing.assert_allclose(shares, [0.52, 0.30, 0.18], atol=0.05)
    assert abs(np.mean(target)) < 3


def test_harmonics_of_lights_are_those_of_the_library():
    normals = np.random.default_rng(0).normal(size=(50, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    direction = np.array([0.48, 0.6, 0.64])
    basis = sh_basis(torch.from_numpy(normals)).numpy()
    cosine = normals @ direction
    np.testing.assert_allclose(
        basis @ directional_harmonics(direction), 0.25 + cosine / 2 + 15 / 32 * (cosine**2 - 1 / 3)
    )
    np.testing.assert_allclose(basis @ ambient_harmonics(), 1)
    np.testing.assert_allclose(harmonics(normals), basis, atol=1e-12)


def test_light_is_neither_dark_nor_overexposed():
    rng = np.random.default_rng(0)
    normals = torch.tensor([[0, 0, 1.0], [0.6, 0, 0.8], [-0.6, 0, 0.8], [0, 0.6, 0.8], [0, -0.6, 0.8]]).double()
    shades = torch.stack([shade(normals, torch.from_numpy(draw_light(rng))) for _ in range(500)])
    assert shades.min() > 0
    assert shades.mean((1, 2)).min() > 0.5
    assert shades.mean((1, 2)).max() < 1.25
    tint = shades.mean(1)
    assert (tint.amax(1) / tint.amin(1)).median() < 1.2


def test_face_units_do_what_faces_do():
    names = FACE_MODEL.expression_names
    draw = ExpressionSampler(names, FACE_MODEL.expression_sigma).draw
    weights = draw(torch.Generator().manual_seed(0), 1000).numpy()
    column = {name: weights[:, place] for place, name in enumerate(names)}
    assert weights.min() >= 0
    assert weights.max() <= 1
    assert column["eyeBlinkLeft"].max() <= 0.9
    assert column["tongueOut"].max() == 0
    assert (column["mouthClose"] <= column["jawOpen"]).all()
    assert np.corrcoef(column["mouthSmileLeft"], column["mouthSmileRight"])[0, 1] > 0.9
    assert (column["eyeLookOutLeft"] * column["eyeLookOutRight"] == 0).all()
    # About the spread of the prior (sigma .25 about 0).
    assert 0.1 < np.sqrt((weights**2).mean()) < 0.3
    neutral = ExpressionSampler(names, FACE_MODEL.expression_sigma, strength=0)
    assert neutral.draw(torch.Generator(), 3).max() == 0


def test_other_expressions_are_normal_with_their_sigma():
    sigma = torch.tensor([0.5, 2.0])
    drawn = ExpressionSampler(["first", "second"], sigma).draw(torch.Generator().manual_seed(0), 2000)
    torch.testing.assert_close(drawn.std(0), sigma, rtol=0.06, atol=0)


def test_pictures_take_colours_from_pigments_and_models_without_them_from_their_basis():
    assert isinstance(make_complexion(FACE_MODEL), SkinComplexion)
    linear = LinearComplexion(FACE_MODEL)
    numbers = linear.draw(torch.Generator().manual_seed(0), 2)
    torch.testing.assert_close(linear(numbers), FACE_MODEL.texture(numbers))


@pytest.mark.parametrize(
    "bad",
    [
        {"linked": 0.8, "unlinked": 0.4},
        {"occluders": 1.2},
        {"camera_noise": -1},
        {"yaw_limit": 100},
        {"yaw_step": (30, 20)},
    ],
)
def test_impossible_settings_are_refused(bad):
    with pytest.raises(MGCError):
        SyntheticSettings(**bad)


def test_no_views_are_refused():
    with pytest.raises(MGCError, match="view"):
        sampler(views=0)
