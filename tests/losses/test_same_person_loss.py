import pytest
import torch

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import load_face_model
from mgc_lightning.fitting.landmark_fit import initial_coefficients
from mgc_lightning.geometry.camera import intrinsics
from mgc_lightning.losses.objective import LossWeights, MGCObjective, WeightedLoss
from mgc_lightning.losses.same_person import SamePerson
from mgc_lightning.rendering.renderer import FaceRenderer
from mgc_lightning.scene import FaceViews, render_views
from mgc_lightning.structures import FaceTriplet
from mgc_lightning.synthetic.dataset import make_triplets
from mgc_lightning.synthetic.settings import SyntheticSettings

SIZE = 16


def views_of(identity: torch.Tensor, albedo: torch.Tensor | None = None) -> FaceViews:
    face_model = load_face_model()
    K = intrinsics(SIZE).expand(*identity.shape[:2], 3, 3)
    coefficients = initial_coefficients(face_model, K, SIZE)
    coefficients.identity = identity
    if albedo is not None:
        coefficients.albedo = albedo
    return render_views(coefficients, face_model, FaceRenderer(), K, SIZE)


def batch_of(persons: list[list[int]] | None, link: list[int]) -> FaceTriplet:
    size, views = len(link), len(persons[0]) if persons else 3
    return FaceTriplet(
        images=torch.zeros(size, views, 3, SIZE, SIZE),
        landmarks=torch.zeros(size, views, 68, 2),
        skin=torch.zeros(size, views, 1, SIZE, SIZE),
        link=torch.tensor(link),
        K=intrinsics(SIZE).expand(size, views, 3, 3),
        person=torch.tensor(persons) if persons else None,
    )


ONE_EACH = batch_of([[0, 0, 0], [0, 0, 0]], [0, 0])


def test_value_and_that_what_is_common_is_free():
    identity, albedo = torch.zeros(2, 3, 80), torch.zeros(2, 3, 40)
    identity[0, :, 4] = torch.tensor([1.0, 2.0, 6.0])  # mean 3; squares 4, 1, 9
    identity[1] = torch.randn(80)
    albedo[1, :, 7] = torch.tensor([0.0, 0.0, 3.0])  # mean 1; squares 1, 1, 4
    views = views_of(identity, albedo)
    torch.testing.assert_close(SamePerson(["identity", "albedo"])(views, ONE_EACH), torch.tensor([14 / 3, 2.0]))
    torch.testing.assert_close(SamePerson()(views, ONE_EACH), torch.tensor([14 / 3, 0.0]))


def test_one_view_has_nothing_to_agree_with():
    batch = batch_of([[0], [0]], [0, 0])
    assert SamePerson()(views_of(torch.randn(2, 1, 80)), batch).tolist() == [0, 0]
    assert SamePerson().applies(batch).tolist() == [False, False]


def test_its_gradient_leads_to_the_mean_of_the_views():
    identity = torch.randn(1, 3, 80, requires_grad=True)
    SamePerson()(views_of(identity), batch_of([[0, 0, 0]], [0])).sum().backward()
    mean = identity.detach().mean(1, keepdim=True)
    torch.testing.assert_close(identity.detach() - 1.5 * identity.grad, mean.expand_as(identity))


def test_strangers_are_never_equal():
    """Only views of one person draw each other; a stranger in the sample, and a sample of strangers, feel nothing."""
    identity = torch.zeros(3, 3, 80)
    identity[:, :, 4] = torch.tensor([1.0, 2.0, 6.0])
    identity.requires_grad_()
    batch = batch_of([[0, 0, 0], [0, 1, 0], [0, 1, 2]], [0, 0, 0])
    values = SamePerson()(views_of(identity), batch)
    # One person: mean 3, squares 4, 1, 9. First and third: mean 3.5, squares 6.25 each. Three strangers: nothing.
    torch.testing.assert_close(values, torch.tensor([14 / 3, 6.25, 0.0]))
    assert SamePerson().applies(batch).tolist() == [True, True, False]
    values.sum().backward()
    moved = identity.grad.abs().sum(-1) > 0
    assert moved.tolist() == [[True, True, True], [True, False, True], [False, False, False]]


def test_who_is_who_is_not_guessed():
    """Without person ids a moment has one person, and an unlinked sample has strangers."""
    assert batch_of(None, [0, 1, 2]).persons().tolist() == [[0, 1, 2], [0, 0, 0], [0, 0, 0]]
    assert SamePerson().applies(batch_of(None, [0, 1, 2])).tolist() == [False, True, True]


def test_samples_of_strangers_do_not_count_in_the_mean():
    """Synthetic data of three kinds: one moment, one person, strangers; the last adds nothing and thins nothing out."""
    face_model = load_face_model()
    parts = [
        make_triplets(face_model, 2, image_size=SIZE, settings=SyntheticSettings(linked=linked, unlinked=unlinked))
        for linked, unlinked in ((1.0, 0.0), (0.0, 1.0), (0.0, 0.0))
    ]
    assert [part.persons().tolist() for part in parts] == [[[0, 0, 0]] * 2, [[0, 0, 0]] * 2, [[0, 1, 2]] * 2]
    batch = FaceTriplet(
        **{
            name: torch.cat([getattr(part, name) for part in parts])
            for name in ("images", "landmarks", "skin", "link", "K", "person")
        }
    )
    off = LossWeights(**dict.fromkeys(LossWeights.__annotations__, 0.0))
    objective = MGCObjective(off, extra={"same_person": WeightedLoss(SamePerson(), 2.0)})
    views = views_of(torch.randn(6, 3, 80))
    report = objective(views, batch)
    assert report.applies["same_person"].tolist() == [True, True, True, True, False, False]
    values = report.terms["same_person"]
    torch.testing.assert_close(report.total, 2 * values[:4].mean())
    assert values[4:].tolist() == [0, 0]


def test_expressions_are_each_views_own():
    with pytest.raises(MGCError, match="`groups` must be some of identity, albedo"):
        SamePerson(["expression"])
