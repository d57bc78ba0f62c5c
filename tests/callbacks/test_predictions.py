"""`lightning predict` leaves files: every sample once, named, as the network gives it; on several processes too."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tiny_fit
import torch
import triplet_sets

from callbacks import WritePredictions
from datamodules import SyntheticTriplets
from mgc_lightning.encoders import ResNet
from mgc_lightning.errors import MGCError
from mgc_lightning.files.mesh import read_mesh
from mgc_lightning.training.module import MGCModule

DATA = ["--data.test_size=5", "--data.batch_size=2"]


def read(folder):
    files = sorted((folder / "predictions").glob("*.npz"))
    arrays = [dict(np.load(file)) for file in files]
    return {name: np.concatenate([each[name] for each in arrays]) for name in arrays[0]}, [file.name for file in files]


def test_predict_writes_names_coefficients_landmarks_and_meshes(tmp_path, capsys) -> None:
    options = ["--trainer.callbacks+=WritePredictions", "--trainer.callbacks.meshes=ply"]
    options += ["--trainer.callbacks.shard_size=4", "--trainer.callbacks.arrays=[coefficients, landmarks, verts]"]
    assert tiny_fit.run(tmp_path, *DATA, *options, command="predict") == 0
    found, files = read(tmp_path)
    assert files == ["000-00000.npz", "000-00001.npz"]
    assert found["sample_id"].tolist() == [f"synthetic/predict/{index:08d}" for index in range(5)]
    assert found["coefficients"].shape == (5, 3, 205)
    assert f"5 samples: {tmp_path / 'predictions'}" in capsys.readouterr().out

    torch.manual_seed(0)  # as the command line seeds
    module = MGCModule(ResNet(18, width=4), spatial_channels=128, image_size=32)
    about = json.loads((tmp_path / "predictions" / "predictions.json").read_text())
    assert about["coefficients"]["expression"] == [120, 172]
    model = module.network.face_model
    coefficients = torch.from_numpy(found["coefficients"][4, 1])
    start, stop = about["coefficients"]["identity"]
    first, last = about["coefficients"]["expression"]
    shape = model.shape(coefficients[start:stop], coefficients[first:last])
    assert torch.allclose(torch.from_numpy(found["verts"][4, 1]), shape, atol=1e-3)
    mesh = read_mesh(tmp_path / "predictions" / "meshes" / "synthetic" / "predict" / "00000004_1.ply")
    assert np.allclose(mesh.verts, found["verts"][4, 1], atol=1e-4)
    assert (tmp_path / "predictions" / "meshes" / "synthetic" / "predict" / "00000004.ply").is_file()


def test_what_is_written_is_what_the_network_says(tmp_path) -> None:
    import lightning as L

    torch.manual_seed(3)
    module = MGCModule(ResNet(18, width=4), spatial_channels=8, image_size=32).eval()
    data = SyntheticTriplets(image_size=32, batch_size=2, test_size=3, views=2)
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    writer = WritePredictions(tmp_path / "predictions")
    trainer = L.Trainer(accelerator="cpu", callbacks=[writer], use_distributed_sampler=False, **quiet)
    trainer.predict(module, data, return_predictions=False)
    assert writer.written == 3
    found, _ = read(tmp_path)
    batch = data.triplets(list(data.predict_dataloader())[1])
    with torch.no_grad():
        coefficients, _, landmarks = module(batch.images.flatten(0, 1))
    assert np.allclose(found["coefficients"][2], coefficients, atol=1e-5)
    assert np.allclose(found["landmarks"][2], landmarks, atol=1e-3)
    with pytest.raises(MGCError, match="has predictions already: name another `folder`"):
        trainer.predict(module, data, return_predictions=False)


def test_a_set_of_photographs_is_predicted(tmp_path) -> None:
    data = SyntheticTriplets(image_size=32, batch_size=4, test_size=4)
    triplet_sets.write_set(tmp_path / "set", data.triplets(next(iter(data.test_dataloader()))), train=1)
    arguments = ["--data=TripletDataModule", f"--data.path={tmp_path / 'set'}", "--data.batch_size=2"]
    base = [argument for argument in tiny_fit.BARE if "--data" not in argument]
    assert tiny_fit.run(tmp_path, *arguments, base=base, command="predict") == 0
    found, _ = read(tmp_path)
    assert found["sample_id"].tolist() == ["val-0001", "val-0002", "val-0003"]
    assert found["landmarks"].shape == (3, 3, 68, 2)


def test_an_untrained_network_is_told(tmp_path, caplog) -> None:
    assert tiny_fit.run(tmp_path, *DATA, "--trainer.fast_dev_run=true", command="predict") == 0
    assert "the network knows nothing yet" in caplog.text
    assert not (tmp_path / "predictions").exists()  # a dry run leaves nothing


@pytest.mark.slow
def test_each_process_writes_files_of_its_own(tmp_path) -> None:
    options = [*tiny_fit.BARE, *DATA, f"--trainer.default_root_dir={tmp_path}"]
    program = [sys.executable, "-m", "mgc_lightning.cli", "predict", *options]
    program += ["--trainer.devices=2", "--trainer.strategy=ddp"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(program, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    found, files = read(tmp_path)
    assert files == ["000-00000.npz", "001-00000.npz"]
    # the last batch is filled up, so that both have the same number
    assert sorted(set(found["sample_id"].tolist())) == [f"synthetic/predict/{index:08d}" for index in range(5)]
    assert len(found["sample_id"]) == 6
    one = dict(zip(found["sample_id"].tolist(), found["coefficients"], strict=True))
    single = tmp_path / "single"
    assert tiny_fit.run(single, *DATA, command="predict") == 0
    alone, _ = read(single)
    for name, row in zip(alone["sample_id"], alone["coefficients"], strict=True):
        assert np.allclose(one[name], row, atol=1e-5)
