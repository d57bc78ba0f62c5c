"""`NoWError`: state, batches, two processes."""

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from now_shapes import cap, rotation

from mgc_lightning.errors import MGCError
from mgc_lightning.metrics.now import NoWError, crop_scan, now_error

NAMES = ["A/selfie/1.jpg", "A/multiview_neutral/2.jpg", "B/selfie/3.jpg"]


def sample():
    """Three predictions of one scan, from good to bad."""
    scan = crop_scan(*(cap(step=5.0)[i] for i in (0, 2)))
    verts, faces, marks = cap(step=7.0)
    stretch = np.array([[1, 1, 1], [1.05, 1, 1], [1, 1, 1.2]])
    batch = verts[None] * stretch[:, None], marks[None] * stretch[:, None]
    return scan, faces, *(torch.tensor(part, dtype=torch.float32) for part in batch)


def test_equals_the_function_whatever_the_batches():
    scan, faces, verts, marks = sample()
    metric = NoWError(NAMES, jobs=2)
    metric.update(verts[:2], faces, marks[:2], [scan, scan], [2, 0])
    metric.update(verts[2:], torch.as_tensor(faces), marks[2:], [scan], torch.tensor([1]))
    direct = [now_error(scan, v.numpy(), faces, m.numpy()).distances for v, m in zip(verts, marks, strict=True)]
    scores = metric.scores()
    assert [prediction.name for prediction in scores.predictions] == NAMES
    for prediction, expected in zip(scores.predictions, (direct[1], direct[2], direct[0]), strict=True):
        np.testing.assert_array_equal(prediction.distances, expected)
    found = metric.compute()
    assert float(found["median"]) == np.median(np.concatenate(direct))
    assert float(found["std"]) == pytest.approx(np.concatenate(direct).std(), abs=1e-12)
    assert float(found["multiview_neutral/mean"]) == pytest.approx(direct[2].mean())
    assert float(found["selfie/median"]) == np.median(np.concatenate(direct[:2]))
    assert "multiview_occlusions/median" not in found
    assert len(metric.latest) == 1


def test_mixed_topologies_and_reset():
    scan, faces, verts, marks = sample()
    metric = NoWError(NAMES)
    metric.update([verts[0], verts[1]], [faces, faces[:-40]], marks[:2], [scan, scan], [0, 1])
    assert len(metric.scores().predictions) == 2
    metric.reset()
    assert metric.scores().predictions == []


def test_repeated_images_count_once():
    scan, faces, verts, marks = sample()
    metric = NoWError(NAMES)
    metric.update(verts[[0, 0]], faces, marks[[0, 0]], [scan, scan], [1, 1])
    assert metric.scores().total.n == len(scan.points)


def test_reflected_images_are_listed():
    scan, faces, verts, marks = sample()
    metric = NoWError(NAMES)
    swapped = marks[:, [3, 2, 1, 0, 4, 6, 5]]
    metric.update(verts[:1], faces, swapped[:1], [scan], [2])
    assert metric.scores().reflected == [NAMES[2]]


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_predictions_on_cuda_score_as_on_the_cpu():
    scan, faces, verts, marks = sample()
    there, here = NoWError(NAMES).to("cuda"), NoWError(NAMES)
    there.update(verts.cuda(), torch.as_tensor(faces).cuda(), marks.cuda(), [scan] * 3, torch.arange(3).cuda())
    here.update(verts, faces, marks, [scan] * 3, [0, 1, 2])
    assert float(there.compute()["median"]) == float(here.compute()["median"])


def test_bad_input():
    scan, faces, verts, marks = sample()
    metric = NoWError(NAMES)
    with pytest.raises(MGCError, match="as many"):
        metric.update(verts, faces, marks, [scan], [0, 1, 2])
    with pytest.raises(MGCError, match=r"0\.\.2"):
        metric.update(verts[:1], faces, marks[:1], [scan], [3])


def worker(rank, folder):
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    scan, faces, verts, marks = sample()
    turn = torch.tensor(rotation(0.1, 0.2, 0.3), dtype=torch.float32)
    metric = NoWError(NAMES)
    # Uneven shares, one image twice as a distributed sampler pads, in another order than the names.
    for place in ((2, 0), (1, 0))[rank]:
        metric.update(verts[place : place + 1] @ turn.T, faces, marks[place : place + 1] @ turn.T, [scan], [place])
    scores = metric.scores()
    found = metric.compute()
    assert len(metric.local_scores().predictions) == 2
    torch.save(
        {"median": found["median"], "n": torch.tensor([prediction.error.n for prediction in scores.predictions])},
        f"{folder}/{rank}.pt",
    )
    empty = NoWError(NAMES)
    if rank == 0:
        empty.update(verts[:1], faces, marks[:1], [scan], [0])
    assert len(empty.scores().predictions) == 1
    dist.destroy_process_group()


def test_two_processes_agree_with_one(tmp_path):
    mp.spawn(worker, (str(tmp_path),), nprocs=2)
    scan, faces, verts, marks = sample()
    turn = torch.tensor(rotation(0.1, 0.2, 0.3), dtype=torch.float32)
    metric = NoWError(NAMES)
    metric.update(verts @ turn.T, faces, marks @ turn.T, [scan] * 3, [0, 1, 2])
    for rank in range(2):
        found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert found["n"].tolist() == [prediction.error.n for prediction in metric.scores().predictions]
        assert float(found["median"]) == pytest.approx(float(metric.compute()["median"]), abs=1e-6)
