"""The objective on rendered faces whose geometry is known."""

import logging
from dataclasses import asdict, replace

import pytest
import torch
from torch import nn

from mgc_lightning.coefficients import FaceCoefficients
from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import load_face_model
from mgc_lightning.fitting.landmark_fit import initial_coefficients
from mgc_lightning.geometry.camera import intrinsics
from mgc_lightning.losses.identity import IdentityLoss
from mgc_lightning.losses.objective import LossWeights, MGCObjective, WeightedLoss
from mgc_lightning.losses.pixel import PixelConsistency
from mgc_lightning.losses.schedule import Ramp
from mgc_lightning.losses.terms import PairLoss, SampleLoss, ViewLoss
from mgc_lightning.rendering.renderer import FaceRenderer
from mgc_lightning.scene import render_views
from mgc_lightning.structures import FaceTriplet

SIZE = 80
ALL_ON = LossWeights(ssim=0.1)
MULTI_VIEW_TERMS = ("pixel", "depth", "ssim", "epipolar")


@pytest.fixture(scope="module")
def face_model():
    return load_face_model()


def true_coefficients(face_model, samples=2, views=3, seed=0):
    """Draw faces that all views of a sample share, turned by 20 degrees from view to view."""
    generator = torch.Generator().manual_seed(seed)
    K = intrinsics(SIZE, 1000.0).expand(samples, views, 3, 3)
    truth = initial_coefficients(face_model, K, SIZE)
    for name, strength in (("identity", 1.0), ("albedo", 0.7), ("light", 0.1)):
        group = getattr(truth, name)
        noise = torch.randn(samples, 1, group.shape[-1], generator=generator)
        setattr(truth, name, group + strength * noise)
    truth.pose[..., 1] += torch.tensor([0.0, -0.35, 0.35])[:views]
    truth.pose[..., :2] += 0.1 * torch.randn(samples, 1, 2, generator=generator)
    truth.pose[..., 3:5] += 2 * torch.randn(samples, views, 2, generator=generator)
    return truth, K


def photographs(face_model, truth, K, link=2):
    with torch.no_grad():
        views = render_views(truth, face_model, FaceRenderer(), K, SIZE)
    shape = K.shape[:2]
    images = views.rendered.image + (1 - views.rendered.mask) * 0.5
    return FaceTriplet(
        images=images.unflatten(0, shape),
        landmarks=views.landmarks,
        skin=torch.ones(*shape, 1, SIZE, SIZE),
        link=torch.full(shape[:1], link),
        K=K,
        sample_id=[f"face-{row}" for row in range(shape[0])],
    )


@pytest.fixture(scope="module")
def scene(face_model):
    truth, K = true_coefficients(face_model)
    return face_model, truth, photographs(face_model, truth, K)


def evaluate(scene, objective, change=None, batch=None):
    """Give the report for the true coefficients, changed, and the changed leaves."""
    face_model, truth, photographs_ = scene
    leaves = (change(truth) if change else truth).map(lambda group: group.clone().requires_grad_())
    batch = batch or photographs_
    views = render_views(leaves, face_model, FaceRenderer(), batch.K, SIZE)
    return objective(views, batch), leaves


def moved(**shifts):
    def change(truth: FaceCoefficients) -> FaceCoefficients:
        return replace(truth, **{name: getattr(truth, name) + shift for name, shift in shifts.items()})

    return change


def test_defaults_are_the_papers():
    assert asdict(LossWeights()) == {
        "photometric": 1.9,
        "landmark": 1e-3,
        "identity": 0.2,
        "prior_identity": 1e-4,
        "prior_expression": 0.8e-4,
        "prior_albedo": pytest.approx(3e-4 * 0.0017),
        "pixel": 0.15,
        "depth": 1e-4,
        "epipolar": 1e-3,
        "ssim": 0.0,
    }


def test_true_geometry_leaves_almost_nothing(scene):
    report, _ = evaluate(scene, MGCObjective(ALL_ON))
    means = report.means()
    assert means["photometric"] < 2e-3
    assert means["landmark"] < 1e-6
    assert means["pixel"] < 0.02
    assert means["ssim"] < 0.03
    assert means["depth"] < 0.2
    assert means["epipolar"] < 2e-3


@pytest.mark.parametrize(
    ("term", "group", "direction"),
    [
        ("photometric", "albedo", 0.5),
        ("landmark", "pose", (0, 0.1, 0, 0, 0, 0)),
        ("pixel", "pose", ((0, 0.1, 0, 0, 0, 0), (0, 0, 0, 0, 0, 0), (0, 0, 0, 0, 0, 0))),
        ("depth", "identity", (0.6, 0.0, -0.6)),
        ("epipolar", "pose", ((0, 0, 0.1, 0, 0, 0), (0, 0, 0, 0, 0, 0), (0, 0, 0, 0, 0, 0))),
        ("prior_identity", "identity", 1.0),
    ],
)
def test_each_loss_falls_toward_the_truth(scene, term, group, direction):
    shift = torch.tensor(direction)
    if group == "identity" and shift.ndim:
        # Views that disagree: no term of one view alone sees that.
        shift = shift[:, None]
    objective = MGCObjective(ALL_ON)
    base = scene
    if term == "prior_identity":
        face_model, truth, batch = scene
        base = (face_model, replace(truth, identity=torch.zeros_like(truth.identity)), batch)
    values = []
    for amount in (1.0, 0.5, 0.1):
        report, leaves = evaluate(base, objective, moved(**{group: amount * shift}))
        values.append(report.means()[term])
        if amount == 0.5:
            (gradient,) = torch.autograd.grad(report.terms[term].sum(), getattr(leaves, group))
            assert (gradient * shift).sum() > 0
    assert values[0] > values[1] > values[2]


def test_link_selects_samples_and_their_gradients(scene):
    face_model, _, _ = scene
    truth, K = true_coefficients(face_model, samples=3)
    batch = photographs(face_model, truth, K)
    batch.link = torch.tensor([2, 0, 1])
    change = moved(pose=0.02 * torch.randn_like(truth.pose), identity=0.3 * torch.randn_like(truth.identity))
    report, leaves = evaluate((face_model, truth, batch), MGCObjective(ALL_ON), change, batch)
    expected = {"pixel": [1, 0, 1], "depth": [1, 0, 1], "ssim": [1, 0, 1], "epipolar": [1, 0, 0]}
    for term, rows in expected.items():
        values = report.terms[term]
        (gradient,) = torch.autograd.grad(values.sum(), leaves.pose, retain_graph=True)
        for row, linked in enumerate(rows):
            assert (values[row] > 0) == bool(linked)
            assert (gradient[row].abs().max() > 0) == bool(linked)
            assert bool(report.applies[term][row]) == bool(linked)
        torch.testing.assert_close(report.means()[term], values[values > 0].mean())


def test_terms_do_not_depend_on_the_batch(scene):
    face_model, _, _ = scene
    truth, K = true_coefficients(face_model, samples=3)
    batch = photographs(face_model, truth, K)
    change = moved(pose=0.02 * torch.randn_like(truth.pose), identity=0.3 * torch.randn_like(truth.identity))
    wrong = change(truth)
    together, _ = evaluate((face_model, wrong, batch), MGCObjective(ALL_ON))
    for row in range(3):
        one = FaceTriplet(
            **{name: getattr(batch, name)[row : row + 1] for name in ("images", "landmarks", "skin", "link", "K")}
        )
        alone, _ = evaluate((face_model, wrong.map(lambda g: g[row : row + 1]), one), MGCObjective(ALL_ON))  # noqa: B023
        for term, values in alone.terms.items():
            torch.testing.assert_close(values[0], together.terms[term][row], rtol=2e-3, atol=1e-5)


def test_total_is_the_weighted_sum(scene):
    change = moved(pose=torch.tensor([0.02, 0.03, 0.01, 1.0, 1.0, 5.0]))
    objective = MGCObjective(ALL_ON)
    report, _ = evaluate(scene, objective, change)
    weights = asdict(ALL_ON)
    # Two sources: multi-view terms are means over them, and count twice.
    expected = sum(
        weights[name] * (2 if name in MULTI_VIEW_TERMS else 1) * value for name, value in report.means().items()
    )
    torch.testing.assert_close(report.total.detach(), expected)
    assert "identity" not in report.terms


def test_duplicating_the_batch_changes_nothing(scene):
    face_model, truth, batch = scene
    change = moved(pose=torch.tensor([0.02, 0.03, 0.01, 1.0, 1.0, 5.0]))
    once, _ = evaluate(scene, MGCObjective(ALL_ON), change)
    double = FaceTriplet(
        **{name: torch.cat([getattr(batch, name)] * 2) for name in ("images", "landmarks", "skin", "link", "K")}
    )
    twice, _ = evaluate((face_model, truth.map(lambda g: torch.cat([g, g])), double), MGCObjective(ALL_ON), change)
    torch.testing.assert_close(once.total, twice.total, rtol=1e-4, atol=0)


def test_one_view(face_model):
    truth, K = true_coefficients(face_model, views=1)
    batch = photographs(face_model, truth, K)
    report, leaves = evaluate((face_model, truth, batch), MGCObjective(ALL_ON))
    assert not {"pixel", "depth", "ssim", "epipolar"} & set(report.means())
    report.total.backward()
    assert torch.isfinite(leaves.pose.grad).all()


def test_equal_poses_have_finite_gradients(scene):
    face_model, truth, batch = scene
    same = truth.map(lambda group: group[:, :1].expand_as(group))
    report, leaves = evaluate((face_model, same, batch), MGCObjective(ALL_ON))
    report.total.backward()
    assert report.nonfinite() == {}
    for name in ("identity", "albedo", "expression", "pose", "light"):
        assert torch.isfinite(getattr(leaves, name).grad).all()


def test_terms_of_weight_zero_are_not_computed(scene):
    weights = LossWeights(**dict.fromkeys(asdict(LossWeights()), 0.0) | {"landmark": 1.0})
    report, _ = evaluate(scene, MGCObjective(weights))
    assert set(report.terms) == {"landmark"}


def test_landmarks_that_are_not_trusted_do_not_count(scene):
    face_model, truth, batch = scene
    weights = LossWeights(**dict.fromkeys(asdict(LossWeights()), 0.0) | {"landmark": 1.0})
    landmarks = batch.landmarks.clone()
    landmarks[..., :17, :] += 4
    trust = torch.ones_like(landmarks[..., 0])
    wrong = replace(batch, landmarks=landmarks, landmark_weights=trust)
    report, _ = evaluate((face_model, truth, wrong), MGCObjective(weights))
    # 17 of 68 points are 4 px off in both directions.
    expected = 17 / 68 * 32 * (224 / batch.images.shape[-1]) ** 2
    torch.testing.assert_close(report.terms["landmark"], torch.full_like(report.terms["landmark"], expected))
    trust[:, 0, :17] = 0
    report, _ = evaluate((face_model, truth, wrong), MGCObjective(weights))
    share = (landmarks.shape[1] - 1) / landmarks.shape[1]
    torch.testing.assert_close(report.terms["landmark"], torch.full_like(report.terms["landmark"], expected * share))
    trust[..., :17] = 0
    report, _ = evaluate((face_model, truth, wrong), MGCObjective(weights))
    assert report.terms["landmark"].max() < 1e-6


def test_shape_feels_shading_through_the_normals(scene):
    weights = replace(ALL_ON, landmark=0.0)
    report, leaves = evaluate(scene, MGCObjective(weights), moved(identity=torch.tensor(0.2)))
    (gradient,) = torch.autograd.grad(report.terms["photometric"].sum(), leaves.identity)
    assert gradient.abs().sum() > 0


def test_ramps_follow_progress(scene):
    objective = MGCObjective(ALL_ON, prior_ramp=Ramp(start=11.0, until=0.5), multi_view_ramp=Ramp(start=0.0, until=0.2))
    early, late = objective.effective_weights(0.0), objective.effective_weights(1.0)
    assert early["prior_identity"] == pytest.approx(11 * late["prior_identity"])
    assert not set(MULTI_VIEW_TERMS) & set(early)
    assert late["pixel"] == 0.15
    assert objective.effective_weights(0.25)["prior_albedo"] == pytest.approx(6 * 5.1e-7)


class Brightness(nn.Module):
    """A loss of one's own."""

    def forward(self, views, batch):
        return views.rendered.image.flatten(1).mean(1).unflatten(0, batch.images.shape[:2]).mean(1)


def test_extra_loss(scene):
    objective = MGCObjective(ALL_ON, extra={"brightness": WeightedLoss(Brightness(), 2.0, Ramp(start=0.0, until=1.0))})
    report, _ = evaluate(scene, objective)
    assert report.terms["brightness"].shape == (2,)
    assert report.weights["brightness"] == 2.0
    assert "brightness" not in objective.effective_weights(0.0)
    with pytest.raises(MGCError, match="pixel"):
        MGCObjective(extra={"pixel": WeightedLoss(Brightness())})
    for name in ("type", "items", "a.b", ""):
        with pytest.raises(MGCError, match="needs a name of letters"):
            MGCObjective(extra={name: WeightedLoss(Brightness())})
    for name in ("loss", "nme", "neutral_ratio"):
        with pytest.raises(MGCError, match=f"taken already: {name}"):
            MGCObjective(extra={name: WeightedLoss(Brightness())})
    with pytest.raises(MGCError, match="must be a WeightedLoss .*; got Brightness"):
        MGCObjective(extra={"mine": Brightness()})
    far = Brightness()
    far.link = 5
    with pytest.raises(MGCError, match="asks for link 5"):
        MGCObjective(extra={"mine": WeightedLoss(far)})


class Nose(ViewLoss):
    """A loss of one's own, of each view."""

    def forward(self, views):
        return (views.landmarks - views.detected)[:, 27:36].norm(dim=-1).mean(-1)


class Recorder(PairLoss):
    """A loss of one's own, of each pair: it also writes down what it was given."""

    def __init__(self, link):
        super().__init__()
        self.link, self.given = link, []

    def forward(self, pairs):
        self.given += list(zip(pairs.sample.tolist(), pairs.source.view.tolist(), strict=True))
        moved = pairs.source.T_cam_model[:, :3, 3] - pairs.target.T_cam_model[:, :3, 3]
        return moved.norm(dim=-1) + pairs.depth_sampled.mean((1, 2, 3))


class Broken(PairLoss):
    def forward(self, pairs):
        return pairs.image_synthesised


def test_own_losses_are_rows_of_the_same_table(scene):
    """A copy of a built-in loss under another name does what the built-in one does, at the same weight."""
    change = moved(pose=torch.tensor([0.02, 0.03, 0.01, 1.0, 1.0, 5.0]))
    objective = MGCObjective(ALL_ON, extra={"mine": WeightedLoss(PixelConsistency(), ALL_ON.pixel)})
    assert list(objective.terms()) == [*MGCObjective(ALL_ON).terms(), "mine"]
    report, _ = evaluate(scene, objective, change)
    plain, _ = evaluate(scene, MGCObjective(ALL_ON), change)
    torch.testing.assert_close(report.terms["mine"], report.terms["pixel"], rtol=0, atol=0)
    doubled, _ = evaluate(scene, MGCObjective(replace(ALL_ON, pixel=2 * ALL_ON.pixel)), change)
    torch.testing.assert_close(report.total, doubled.total)
    assert report.total > plain.total


def test_own_loss_of_each_view(scene):
    change = moved(pose=torch.tensor([0.0, 0.0, 0.0, 3.0, 0.0, 0.0]))
    report, leaves = evaluate(scene, MGCObjective(ALL_ON, extra={"nose": WeightedLoss(Nose())}), change)
    assert report.terms["nose"].shape == (2,)
    assert (report.terms["nose"] > 0.1).all()
    (gradient,) = torch.autograd.grad(report.terms["nose"].sum(), leaves.pose)
    assert (gradient[..., 3] > 0).all()


@pytest.mark.parametrize(
    ("link", "given"),
    [
        (0, [(0, 1), (0, 2), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2)]),
        (1, [(2, 1), (2, 2), (3, 1), (3, 2)]),
        (2, [(3, 1), (3, 2)]),
    ],
)
def test_own_loss_of_pairs_sees_the_pairs_it_may(scene, link, given):
    """Unlinked pairs cost nothing and get exactly no gradient; strangers are never a pair."""
    face_model, _, _ = scene
    truth, K = true_coefficients(face_model, samples=4)
    batch = photographs(face_model, truth, K)
    batch = replace(
        batch, link=torch.tensor([0, 0, 1, 2]), person=torch.tensor([[0, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0]])
    )
    loss = Recorder(link)
    off = LossWeights(**dict.fromkeys(asdict(LossWeights()), 0.0))
    report, leaves = evaluate(
        (face_model, truth, batch), MGCObjective(off, extra={"mine": WeightedLoss(loss)}), batch=batch
    )
    assert loss.given == given
    report.total.backward()
    for sample in range(4):
        pairs = [source for row, source in given if row == sample]
        assert bool(report.applies["mine"][sample]) == bool(pairs)
        for view in range(3):
            touched = bool(pairs) if view == 0 else view in pairs
            assert (leaves.pose.grad[sample, view].abs().max() > 0) == touched, (sample, view)
    # The paper sums over the sources: two of them.
    torch.testing.assert_close(report.total.detach(), 2 * report.means()["mine"])


def test_own_loss_of_samples_may_say_whom_it_counts(scene):
    class Linked(SampleLoss):
        link = 2

        def forward(self, views, batch):
            return views.coefficients.pose[..., 5].mean(1)

    face_model, truth, batch = scene
    batch = replace(batch, link=torch.tensor([2, 0]))
    report, leaves = evaluate(scene, MGCObjective(ALL_ON, extra={"mine": WeightedLoss(Linked())}), batch=batch)
    assert report.applies["mine"].tolist() == [True, False]
    assert report.terms["mine"][1] == 0
    (gradient,) = torch.autograd.grad(report.terms["mine"].sum(), leaves.pose)
    assert gradient[0].abs().max() > 0
    assert gradient[1].abs().max() == 0


def test_a_loss_of_another_shape_is_named(scene):
    with pytest.raises(MGCError, match=r"`mine` \(Broken\).*\(4,\); got \(4, 3, 80, 80\)"):
        evaluate(scene, MGCObjective(extra={"mine": WeightedLoss(Broken())}))


def test_what_a_checkpoint_keeps_of_own_losses_has_its_old_name():
    class Learned(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))

    objective = MGCObjective(extra={"mine": WeightedLoss(Learned())})
    assert list(objective.state_dict()) == ["extra_modules.mine.scale"]


def test_identity_loss_is_off_and_says_so(scene, caplog):
    with caplog.at_level(logging.WARNING):
        MGCObjective()
    assert "identity loss is off" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        MGCObjective(LossWeights(identity=0.0))
    assert not caplog.text


def test_identity_loss_is_on_with_a_recogniser(scene):
    recogniser = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, 8))
    objective = MGCObjective(ALL_ON, identity=IdentityLoss(recogniser, crop_size=64))
    report, leaves = evaluate(scene, objective, moved(albedo=torch.tensor(1.0)))
    assert report.means()["identity"] > 0
    (gradient,) = torch.autograd.grad(report.terms["identity"].sum(), leaves.albedo)
    assert gradient.abs().sum() > 0
    assert not objective.train().identity.recogniser.training


def test_nonfinite_values_are_named(scene):
    face_model, truth, batch = scene
    images = batch.images.clone()
    images[1, 0, 0, SIZE // 2, SIZE // 2] = float("nan")
    report, _ = evaluate(scene, MGCObjective(ALL_ON), batch=replace(batch, images=images))
    found = report.nonfinite(batch.sample_id)
    assert found["photometric"] == ["face-1"]
    assert "landmark" not in found


def test_wrong_image_size_is_refused(scene):
    face_model, truth, batch = scene
    wrong = replace(batch, images=batch.images[..., :40, :40], skin=batch.skin[..., :40, :40])
    views = render_views(truth, face_model, FaceRenderer(), batch.K, SIZE)
    with pytest.raises(MGCError, match="80"):
        MGCObjective(ALL_ON)(views, wrong)


def test_autocast_around_changes_nothing(scene):
    change = moved(pose=torch.tensor([0.02, 0.03, 0.01, 1.0, 1.0, 5.0]))
    plain, _ = evaluate(scene, MGCObjective(ALL_ON), change)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed, _ = evaluate(scene, MGCObjective(ALL_ON), change)
    assert mixed.total.dtype == torch.float32
    torch.testing.assert_close(plain.total, mixed.total)


def test_two_processes_weigh_linked_samples_as_one_would(scene, monkeypatch):
    """Averaging the totals of two processes gives the total of their joint batch, however links are spread."""
    face_model, _, _ = scene
    truth, K = true_coefficients(face_model, samples=4)
    batch = photographs(face_model, truth, K)
    batch.link = torch.tensor([2, 2, 1, 0])
    wrong = moved(pose=0.02 * torch.randn_like(truth.pose))(truth)
    objective = MGCObjective(ALL_ON)
    joint, _ = evaluate((face_model, wrong, batch), objective)
    halves = [slice(0, 2), slice(2, 4)]
    names = ("images", "landmarks", "skin", "link", "K")
    parts = [FaceTriplet(**{name: getattr(batch, name)[part] for name in names}) for part in halves]
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    totals = []
    for own, other, part in zip(parts, parts[::-1], halves, strict=True):
        # What the sum over processes adds to this process's counts.
        added = torch.tensor([float((other.link >= level).sum()) for level in (0, 0, 0, 0, 0, 1, 1, 1, 2)])
        monkeypatch.setattr(torch.distributed, "all_reduce", lambda counts, added=added: counts.add_(added))
        report, _ = evaluate((face_model, wrong.map(lambda g, part=part: g[part]), own), objective.train())
        assert len(report.terms) == 9
        totals.append(report.total)
    torch.testing.assert_close(torch.stack(totals).mean(), joint.total, rtol=1e-4, atol=0)
