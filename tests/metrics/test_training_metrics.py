"""Landmark, pose and vertex metrics: known values, invariances, reduction."""

import math

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from mgc_lightning.geometry.pose import pose_to_transform
from mgc_lightning.losses.report import ObjectiveReport
from mgc_lightning.metrics.loss_means import LossMeans
from mgc_lightning.metrics.nme import NormalizedMeanError, normalized_mean_error
from mgc_lightning.metrics.pose import RotationError
from mgc_lightning.metrics.sample_mean import SampleMean
from mgc_lightning.metrics.shape import VertexDistance, vertex_distance


def test_nme_known_value() -> None:
    target = torch.tensor([[0.0, 0.0], [40.0, 0.0], [0.0, 10.0]])
    # sqrt(40 * 10) = 20 px; every point is 5 px away (3, 4)
    assert normalized_mean_error(target + torch.tensor([3.0, 4.0]), target).item() == pytest.approx(25.0)


def test_nme_ignores_the_scale_of_the_image() -> None:
    target, predicted = torch.rand(4, 68, 2) * 200, torch.rand(4, 68, 2) * 200
    torch.testing.assert_close(
        normalized_mean_error(predicted * 3, target * 3), normalized_mean_error(predicted, target)
    )


def test_metrics_average_over_samples_not_batches() -> None:
    target = torch.rand(5, 68, 2) * 100
    predicted = target + torch.randn_like(target)
    metric = NormalizedMeanError()
    metric.update(predicted[:1], target[:1])
    metric.update(predicted[1:], target[1:])
    assert metric.compute().item() == pytest.approx(normalized_mean_error(predicted, target).mean().item(), rel=1e-5)
    metric.reset()
    assert math.isnan(metric.compute().item())


def test_rotation_error_known_angle() -> None:
    angles = torch.tensor([[0.0, math.radians(30), 0, 0, 0, 0], [0, 0, math.radians(-10), 0, 0, 0]])
    R = pose_to_transform(angles)[:, :3, :3]
    metric = RotationError()
    metric.update(R, torch.eye(3).expand(2, 3, 3))
    assert metric.compute().item() == pytest.approx(20.0, abs=1e-3)


def test_vertex_distance_is_blind_to_similarity_only() -> None:
    verts = torch.randn(2, 200, 3) * 50
    mask = torch.ones(200, dtype=torch.bool)
    T = pose_to_transform(torch.tensor([[0.3, -0.4, 0.2, 10.0, 20.0, 30.0]]))
    moved = 1.7 * verts @ T[:, :3, :3].mT + T[:, None, :3, 3]
    assert vertex_distance(moved, verts, mask).max() < 1e-4
    mirrored = verts * torch.tensor([-1.0, 1.0, 1.0])
    assert vertex_distance(mirrored, verts, mask).min() > 5


def test_vertex_distance_counts_the_mask_only() -> None:
    verts = torch.randn(1, 100, 3) * 50
    mask = torch.arange(100) < 60
    other = verts.clone()
    other[:, 60:] += 1000
    metric = VertexDistance(mask)
    metric.update(other, verts)
    assert metric.compute().item() < 1e-4


def test_vertex_distance_of_noise_is_its_size() -> None:
    verts = torch.randn(1, 20000, 3) * 50
    noise = torch.randn_like(verts)
    # the mean length of a standard normal 3-vector is 2 sqrt(2 / pi)
    expected = 2 * math.sqrt(2 / math.pi)
    distance = vertex_distance(verts + noise, verts, torch.ones(20000, dtype=torch.bool))
    assert distance.item() == pytest.approx(expected, rel=0.02)


def test_repeated_samples_count_once() -> None:
    """Samplers fill the last batch up with samples that another process, or this one, has."""
    target = torch.rand(4, 3, 68, 2) * 100
    predicted = target + torch.randn_like(target) * torch.tensor([1.0, 2.0, 4.0, 8.0])[:, None, None, None]
    expected = normalized_mean_error(predicted, target).mean().item()
    metric = NormalizedMeanError()
    metric.update(predicted[:3], target[:3], ["a", "b", "c"])
    metric.update(predicted[[3, 0]], target[[3, 0]], ["d", "a"])
    assert metric.compute().item() == pytest.approx(expected, rel=1e-5)
    nameless = NormalizedMeanError()
    nameless.update(predicted[[0, 0, 1]], target[[0, 0, 1]])
    twice = normalized_mean_error(predicted[[0, 0, 1]], target[[0, 0, 1]]).mean().item()
    assert nameless.compute().item() == pytest.approx(twice, rel=1e-5)


def share(rank: int, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    metric = SampleMean()
    # Three samples for two processes: the first comes again on the second one.
    errors, names = ([1.0, 2.0], ["a", "b"]) if rank == 0 else ([6.0, 1.0], ["c", "a"])
    metric.update(torch.tensor(errors), names)
    empty = SampleMean()
    if rank == 1:
        empty.update(torch.tensor([5.0]), ["x"])
    losses = LossMeans(["photometric", "pixel", "epipolar"])
    # One process sees no sample with a pixel term; and the first sample comes twice.
    add_losses(losses, [[1, 3]] if rank == 0 else [[0, 2], [4, 0]])
    torch.save((metric.compute(), empty.compute(), losses.compute()), f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def test_two_processes_count_a_shared_sample_once_and_have_the_same_losses(tmp_path) -> None:
    mp.spawn(share, (str(tmp_path),), nprocs=2)
    for rank in range(2):
        mean, alone, losses = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert mean.item() == pytest.approx(3.0)
        assert alone.item() == pytest.approx(5.0)
        assert losses == pytest.approx(FIVE)


def report_of(rows: list[int]) -> ObjectiveReport:
    """Give what an objective says about some of five samples, of which two have no pixel term."""
    values = {"photometric": torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]), "pixel": torch.tensor([2.0, 0.0, 4.0, 0.0, 9.0])}
    applies = {"photometric": torch.ones(5, dtype=torch.bool), "pixel": torch.tensor([1, 0, 1, 0, 1]).bool()}
    return ObjectiveReport(
        total=torch.tensor(torch.nan),
        terms={name: column[rows] for name, column in values.items()},
        applies={name: column[rows] for name, column in applies.items()},
        weights={"photometric": 2.0, "pixel": 0.5},
    )


def add_losses(metric: LossMeans, batches: list[list[int]]) -> None:
    for rows in batches:
        report = report_of(rows)
        metric.update(report.terms, report.applies, report.weights, ["abcde"[row] for row in rows])


FIVE = {"loss": 2.0 * 3.0 + 0.5 * 5.0, "photometric": 3.0, "pixel": 5.0}


@pytest.mark.parametrize("batches", [[[0, 1, 2, 3, 4]], [[0, 1, 2, 3], [4]], [[1, 3], [0, 2], [4, 0]]])
def test_losses_do_not_depend_on_the_batches(batches) -> None:
    metric = LossMeans(["photometric", "pixel", "epipolar"])
    add_losses(metric, batches)
    assert metric.compute() == pytest.approx(FIVE)
