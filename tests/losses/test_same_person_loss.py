import pytest
import torch

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import load_face_model
from mgc_lightning.fitting.landmark_fit import initial_coefficients
from mgc_lightning.geometry.camera import intrinsics
from mgc_lightning.losses.same_person import SamePerson
from mgc_lightning.rendering.renderer import FaceRenderer
from mgc_lightning.scene import FaceViews, render_views

SIZE = 16


def views_of(identity: torch.Tensor, albedo: torch.Tensor | None = None) -> FaceViews:
    face_model = load_face_model()
    K = intrinsics(SIZE).expand(*identity.shape[:2], 3, 3)
    coefficients = initial_coefficients(face_model, K, SIZE)
    coefficients.identity = identity
    if albedo is not None:
        coefficients.albedo = albedo
    return render_views(coefficients, face_model, FaceRenderer(), K, SIZE)


def test_value_and_that_what_is_common_is_free():
    identity, albedo = torch.zeros(2, 3, 80), torch.zeros(2, 3, 40)
    identity[0, :, 4] = torch.tensor([1.0, 2.0, 6.0])  # mean 3; squares 4, 1, 9
    identity[1] = torch.randn(80)
    albedo[1, :, 7] = torch.tensor([0.0, 0.0, 3.0])  # mean 1; squares 1, 1, 4
    views = views_of(identity, albedo)
    torch.testing.assert_close(SamePerson(["identity", "albedo"])(views, None), torch.tensor([14 / 3, 2.0]))
    torch.testing.assert_close(SamePerson()(views, None), torch.tensor([14 / 3, 0.0]))


def test_one_view_has_nothing_to_agree_with():
    assert SamePerson()(views_of(torch.randn(2, 1, 80)), None).tolist() == [0, 0]


def test_its_gradient_leads_to_the_mean_of_the_views():
    identity = torch.randn(1, 3, 80, requires_grad=True)
    SamePerson()(views_of(identity), None).sum().backward()
    mean = identity.detach().mean(1, keepdim=True)
    torch.testing.assert_close(identity.detach() - 1.5 * identity.grad, mean.expand_as(identity))


def test_expressions_are_each_views_own():
    with pytest.raises(MGCError, match="share"):
        SamePerson(["expression"])
