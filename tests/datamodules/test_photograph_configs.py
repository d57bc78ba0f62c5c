"""The shipped configs on photographs: `mgcnet` on both layouts, `aflw2000` with a checkpoint of another image size."""

from pathlib import Path

import numpy as np
import pytest
import scipy.io
from PIL import Image
from triplet_sets import write_official, write_set

from mgc_lightning import cli
from mgc_lightning.face_models import load_face_model
from mgc_lightning.networks.files import load_network
from mgc_lightning.synthetic.dataset import make_triplets

SIZE = 48
SMALL = [
    f"--model.image_size={SIZE}",
    "--model.backbone.init_args.depth=18",
    "--trainer.logger=lightning.pytorch.loggers.CSVLogger",
]


def run(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert not stop.value.code


def write_layout(folder: Path, layout: str) -> Path:
    folder.mkdir()
    batch = make_triplets(load_face_model(), 6, image_size=64)
    if layout == "prepared":
        write_set(folder, batch, train=4)
    else:
        write_official(folder, batch)
    return folder


def fit(folder: Path, root: Path) -> list[Path]:
    arguments = [
        *("fit", "--config", "mgcnet", "--data", "datamodules.TripletDataModule", f"--data.init_args.path={folder}"),
        *("--data.init_args.batch_size=2", "--data.init_args.num_workers=0", "--trainer.max_steps=2"),
        *("--trainer.val_check_interval=2", "--trainer.num_sanity_val_steps=0", f"--trainer.default_root_dir={root}"),
        *SMALL,
    ]
    run(arguments)
    return sorted(root.rglob("*.ckpt"))


@pytest.mark.parametrize("layout", ["prepared", "official"])
def test_the_papers_config_trains_on_photographs_unchanged(layout, tmp_path, capsys):
    """Crops follow the size of the network, whatever that of the set."""
    checkpoints = fit(write_layout(tmp_path / "set", layout), tmp_path / "runs")
    assert checkpoints
    assert "network.onnx" in capsys.readouterr().out


def test_aflw2000_takes_the_checkpoints_image_size(tmp_path, capsys):
    checkpoint = fit(write_layout(tmp_path / "set", "prepared"), tmp_path / "runs")[0]
    folder = tmp_path / "AFLW2000"
    folder.mkdir()
    batch = make_triplets(load_face_model(), 3, image_size=90)
    for number, yaw in enumerate((5.0, 50.0, -75.0)):
        picture = (batch.images[number, 0].permute(1, 2, 0) * 255).numpy().astype(np.uint8)
        Image.fromarray(picture).save(folder / f"image{number:05d}.jpg")
        points = np.concatenate([batch.landmarks[number, 0].numpy().T, np.zeros((1, 68))])
        pose = np.array([[0, np.deg2rad(yaw), 0, 0, 0, 0, 1e-4]])
        scipy.io.savemat(folder / f"image{number:05d}.mat", {"pt3d_68": points, "Pose_Para": pose})
    arguments = [
        *("test", "--config", "aflw2000", "--ckpt_path", str(checkpoint), f"--data.init_args.path={folder}"),
        *("--data.init_args.align=annotation", "--trainer.logger=false"),
    ]
    run(arguments)
    printed = capsys.readouterr().out
    for name in ("0-30", "30-60", "60-90", "mean"):
        assert f"aflw2000/nme_{name}" in printed


def test_the_network_of_the_package_is_adapted_to_photographs(tmp_path, capsys):
    folder = write_layout(tmp_path / "set", "prepared")
    run(
        [
            *("fit", "--config", "adapt", f"--data.init_args.path={folder}", "--data.init_args.batch_size=2"),
            *("--data.init_args.num_workers=0", "--trainer.max_steps=2", "--trainer.val_check_interval=2"),
            *("--trainer.num_sanity_val_steps=0", f"--trainer.default_root_dir={tmp_path / 'runs'}"),
            "--trainer.logger=lightning.pytorch.loggers.CSVLogger",
        ]
    )
    (exported,) = (tmp_path / "runs").rglob("network.safetensors")
    start, adapted = load_network().encoder.state_dict(), load_network(exported).encoder.state_dict()
    away = max(float((adapted[key].float() - start[key].float()).abs().max()) for key in start if "weight" in key)
    assert 0 < away < 0.01


def test_a_start_of_another_architecture_is_refused(tmp_path, capsys):
    folder = write_layout(tmp_path / "set", "prepared")
    with pytest.raises(SystemExit) as stop:
        cli.main(
            [
                *("fit", "--config", "adapt", f"--data.init_args.path={folder}"),
                "--model.backbone.init_args.width=16",
            ]
        )
    assert stop.value.code == 2
    assert "The checkpoint's encoder is" in capsys.readouterr().err
