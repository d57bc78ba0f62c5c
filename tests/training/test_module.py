"""MGCModule: scores against baselines, ramps, bad input, mixed precision, callbacks of a short fit."""

from pathlib import Path

import lightning as L
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger

from callbacks import ContactSheet, SummaryTable
from datamodules import SyntheticTriplets
from mgc_lightning.coefficients import FaceCoefficients
from mgc_lightning.encoders import ResNet
from mgc_lightning.errors import MGCError
from mgc_lightning.geometry.pose import transform_to_pose
from mgc_lightning.losses.objective import LossWeights, MGCObjective
from mgc_lightning.losses.schedule import Ramp
from mgc_lightning.metrics.reconstruction import BASELINE
from mgc_lightning.networks.face_network import OutputScaling
from mgc_lightning.scene import render_views
from mgc_lightning.training.module import MGCModule

SIZE = 64


def make_module(**kwargs) -> MGCModule:
    torch.manual_seed(0)
    settings = {
        "backbone": ResNet(18, width=8),
        "image_size": SIZE,
        "output_scaling": OutputScaling.measured(),
        "objective": MGCObjective(LossWeights(identity=0.0), prior_ramp=Ramp(10.0, 0.5)),
    }
    return MGCModule(**(settings | kwargs))


def make_data(**kwargs) -> SyntheticTriplets:
    return SyntheticTriplets(**({"image_size": SIZE, "batch_size": 2, "train_size": 8, "val_size": 4} | kwargs))


def trainer(folder: Path, **kwargs) -> L.Trainer:
    settings = {
        "accelerator": "cpu", "max_steps": 2, "num_sanity_val_steps": -1, "val_check_interval": 2,
        "enable_progress_bar": False, "enable_model_summary": False, "use_distributed_sampler": False,
        "logger": CSVLogger(folder), "default_root_dir": folder, "log_every_n_steps": 1,
    }  # fmt: skip
    return L.Trainer(**(settings | kwargs))


@pytest.fixture(scope="module")
def batch():
    data = make_data()
    return data.triplets(next(iter(data.val_dataloader())))


def test_a_fresh_network_scores_about_as_the_mean_face(batch) -> None:
    module = make_module().eval()
    with torch.no_grad():
        views = module.reconstruct_views(batch)
    module.scores.update(views, module.network.face_model.shape(views.coefficients.identity), batch)
    scores = module.scores.compute()
    assert scores["neutral_ratio"] == pytest.approx(1.0, abs=0.02)
    assert scores["rotation"] == pytest.approx(scores[f"rotation_{BASELINE}"], abs=1.0)
    assert scores["nme"] > scores[f"nme_{BASELINE}"]


def test_true_coefficients_score_nothing(batch) -> None:
    """The truth's own pose and identity give zero error in every score."""
    module = make_module()
    model = module.network.face_model
    data = make_data()
    latents = next(iter(data.val_dataloader()))
    coefficients = FaceCoefficients(
        identity=latents["identity"],
        albedo=torch.zeros(*latents["identity"].shape[:2], model.layout.albedo),
        expression=latents["expression"],
        pose=transform_to_pose(batch.truth.T_cam_model),
        light=torch.zeros(*latents["identity"].shape[:2], 27),
    )
    views = render_views(coefficients, model, module.renderer, batch.K, SIZE)
    module.scores.update(views, model.shape(coefficients.identity), batch)
    scores = module.scores.compute()
    assert scores["neutral"] < 1e-3
    assert scores["posed"] < 1e-3
    assert scores["rotation"] < 0.05
    assert scores["nme"] < 0.05


def test_a_short_fit_logs_scores_and_pictures(tmp_path, capsys) -> None:
    module, sheet = make_module(), ContactSheet(faces=2, tile=96)
    fit = trainer(tmp_path, callbacks=[sheet, SummaryTable()])
    fit.fit(module, make_data())
    metrics = fit.callback_metrics
    names = {"nme", "rotation", "neutral", "posed", "neutral_ratio", "posed_ratio", "posed_mean_face", "loss"}
    assert {f"val/{name}" for name in names} <= set(metrics)
    assert all(torch.isfinite(value) for value in metrics.values())
    assert {"train/photometric", "train/landmark", "train/prior_identity", "train/skipped_steps"} <= set(metrics)
    printed = capsys.readouterr().out
    for word in ("start", "end", "mean face", "posed 3D error", "contact_sheet.png"):
        assert word in printed
    assert sheet.artifacts["contact sheet"].is_file()
    from PIL import Image

    with Image.open(sheet.artifacts["contact sheet"]) as picture:
        assert picture.width > 6 * 96
        assert len(set(picture.convert("L").resize((32, 32)).tobytes())) > 50  # a drawing, not a flat field


def test_bf16_trains_with_geometry_in_float32(tmp_path) -> None:
    module = make_module()
    kinds = []
    module.renderer.register_forward_hook(lambda _module, _args, output: kinds.append(output.depth.dtype))
    fit = trainer(tmp_path, precision="bf16-mixed", limit_val_batches=0, num_sanity_val_steps=0)
    before = module.network.encoder.head.linear.weight.clone()
    fit.fit(module, make_data())
    assert set(kinds) == {torch.float32}
    assert not torch.equal(before, module.network.encoder.head.linear.weight)
    assert torch.isfinite(module.network.encoder.head.linear.weight).all()


@pytest.mark.parametrize("algorithm", [None, "value"])
def test_fused_optimisers_are_clipped_under_bf16(tmp_path, algorithm) -> None:
    limit, seen = 1e-4, []

    class Look(L.Callback):
        def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx) -> None:
            grads = torch.cat([p.grad.flatten() for p in module.network.parameters() if p.grad is not None])
            seen.append(float(grads.norm() if algorithm is None else grads.abs().max()))

    module = make_module(optimizer=lambda parameters: torch.optim.Adam(parameters, lr=1e-3, fused=True))
    options = {"gradient_clip_val": limit, "gradient_clip_algorithm": algorithm, "callbacks": [Look()]}
    fit = trainer(tmp_path, precision="bf16-mixed", limit_val_batches=0, num_sanity_val_steps=0, **options)
    fit.fit(module, make_data())
    assert len(seen) == 2
    assert max(seen) <= limit * 1.01


def test_data_follow_the_networks_camera(tmp_path, caplog) -> None:
    data = make_data(image_size=48, focal=1000.0)
    with caplog.at_level("INFO", logger="datamodules"):
        trainer(tmp_path).fit(make_module(), data)
    assert data.image_size == data.generator.image_size == SIZE
    assert torch.equal(data.generator.K.cpu(), make_data().generator.K)
    assert data.generator.distance == make_data().generator.distance
    assert "(64, 4700.0) px instead of (48, 1000.0)" in caplog.text
    assert data.state_dict()["image_size"] == SIZE


def test_triton_without_cuda_is_one_clear_error(tmp_path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(MGCError, match="triton"):
        trainer(tmp_path).fit(make_module(rasterizer="triton"), make_data())


def test_a_checkpoint_of_another_face_model_is_refused(tmp_path) -> None:
    module = make_module()
    fit = trainer(tmp_path, limit_val_batches=0, num_sanity_val_steps=0)
    fit.fit(module, make_data())
    path = tmp_path / "other.ckpt"
    fit.save_checkpoint(path)
    checkpoint = torch.load(path, weights_only=True)
    checkpoint["mgc_network_config"]["face_model"]["fingerprint"] = "0" * 64
    torch.save(checkpoint, path)
    with pytest.raises(MGCError, match="face model"):
        trainer(tmp_path).fit(make_module(), make_data(), ckpt_path=path, weights_only=True)


def test_prediction_gives_every_view(tmp_path) -> None:
    predictions = trainer(tmp_path).predict(make_module(), make_data(test_size=2))
    (only,) = predictions
    assert only["verts"].shape[:2] == (2, 3)
    assert only["landmarks"].shape == (2, 3, 68, 2)
    assert len(only["sample_id"]) == 2
