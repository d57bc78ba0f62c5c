import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
from safetensors.numpy import load_file, save_file

from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import (
    FaceModelData,
    FaceModelInfo,
    available_face_models,
    load_face_model,
    read_face_model,
    save_face_model,
)
from mgc_lightning.face_models.model_data import SourceFile
from mgc_lightning.files.places import cache_folder


def triangle(subdivided: bool = True) -> FaceModelData:
    matrix = scipy.sparse.csr_matrix(np.vstack([np.eye(3), np.full((1, 3), 1 / 3)]))
    count = 4 if subdivided else 3
    return FaceModelData(
        info=FaceModelInfo(
            "triangle",
            licence="CC0-1.0",
            expression_names=["öffnen"],
            region_names=["face", "face_render"],
            sources=[SourceFile("scan.h5", "ab" * 32)],
            notes={"year": 2009},
        ),
        mean=np.eye(3) * 100,
        identity_basis=np.random.default_rng(0).normal(size=(2, 3, 3)),
        expression_basis=np.random.default_rng(1).normal(size=(1, 3, 3)),
        expression_sigma=np.array([0.25]),
        faces=np.array([[0, 1, 2]]),
        albedo_mean=np.full((count, 3), 0.5),
        albedo_basis=np.zeros((0, count, 3)),
        landmarks68_index=np.zeros((68, 3), dtype=int),
        landmarks68_weights=np.full((68, 3), 1 / 3),
        landmarks7_index=np.zeros((7, 1), dtype=int),
        landmarks7_weights=np.ones((7, 1)),
        regions=np.ones((2, count), dtype=bool),
        main_pose=np.array([0, 0, np.pi, 0, 0, 5000]),
        subdivision=matrix if subdivided else None,
        subdivided_faces=np.array([[0, 1, 3], [1, 2, 3], [2, 0, 3]]) if subdivided else None,
        extras={"own.values": np.arange(4, dtype=np.uint8)},
    )


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
@pytest.mark.parametrize("subdivided", [True, False])
def test_round_trip(tmp_path: Path, suffix: str, subdivided: bool):
    data = triangle(subdivided)
    back = read_face_model(save_face_model(data, tmp_path / f"model.{suffix}", half=False))
    assert back.info == data.info
    assert back.fingerprint() == data.fingerprint()
    assert back.levels == (2 if subdivided else 1)
    np.testing.assert_allclose(back.albedo_mean, data.albedo_mean)
    np.testing.assert_array_equal(back.extras["own.values"], data.extras["own.values"])
    if subdivided:
        np.testing.assert_allclose(back.subdivision.toarray(), data.subdivision.toarray(), atol=1e-7)


def test_half_precision_on_disk_single_in_memory(tmp_path: Path):
    data = triangle()
    path = save_face_model(data, tmp_path / "model.safetensors")
    assert load_file(path)["identity_basis"].dtype == np.float16
    back = read_face_model(path)
    assert back.identity_basis.dtype == np.float32
    np.testing.assert_allclose(back.identity_basis, data.identity_basis, rtol=1e-3)


def test_the_same_data_give_the_same_bytes(tmp_path: Path):
    first, second = (save_face_model(triangle(), tmp_path / f"{name}.npz").read_bytes() for name in "ab")
    assert first == second


def test_a_foreign_npz_is_refused(tmp_path: Path):
    np.savez(tmp_path / "other.npz", vertices=np.zeros(3))
    with pytest.raises(MGCError, match=r"other\.npz is not a face model"):
        read_face_model(tmp_path / "other.npz")


def test_a_pickle_is_never_run(tmp_path: Path):
    np.savez(tmp_path / "evil.npz", metadata=np.array([object()], dtype=object))
    with pytest.raises(MGCError, match="holds objects, which could run code"):
        read_face_model(tmp_path / "evil.npz")


def test_a_broken_file_is_named(tmp_path: Path):
    for name in ("model.npz", "model.safetensors"):
        (tmp_path / name).write_bytes(b"not an archive")
        with pytest.raises(MGCError, match=f"{name}: (cannot be read|not a safetensors file)"):
            read_face_model(tmp_path / name)
    with pytest.raises(MGCError, match="No face model file"):
        read_face_model(tmp_path / "absent.npz")
    with pytest.raises(MGCError, match=r"\.npz or \.safetensors"):
        save_face_model(triangle(), tmp_path / "model.h5")


def test_missing_and_misshapen_arrays_are_named(tmp_path: Path):
    path = save_face_model(triangle(), tmp_path / "model.safetensors")
    arrays = load_file(path)
    header = json.dumps(_header(path))
    whole = dict(arrays)
    del whole["main_pose"]
    save_file(whole, tmp_path / "a.safetensors", metadata={"face_model": header})
    with pytest.raises(MGCError, match="missing main_pose"):
        read_face_model(tmp_path / "a.safetensors")
    whole = arrays | {"expression_sigma": np.ones(7, dtype=np.float32)}
    save_file(whole, tmp_path / "b.safetensors", metadata={"face_model": header})
    with pytest.raises(MGCError, match=r"`expression_sigma` has shape \(7,\), expected \(1\)"):
        read_face_model(tmp_path / "b.safetensors")
    whole = dict(arrays)
    del whole["subdivision_indices"]
    save_file(whole, tmp_path / "c.safetensors", metadata={"face_model": header})
    with pytest.raises(MGCError, match="missing subdivision_indices"):
        read_face_model(tmp_path / "c.safetensors")


def _header(path: Path) -> dict:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        return json.loads(file.metadata()["face_model"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"faces": np.array([[0, 1, 9]])}, "must index 3 vertices, got 0..9"),
        ({"faces": np.array([[0.0, 1, 2]])}, "must hold integers"),
        ({"mean": np.full((3, 3), np.nan)}, "not finite"),
        ({"landmarks68_index": np.zeros((5, 1), dtype=int)}, r"expected \(68, any\)"),
    ],
)
def test_invalid_data_are_not_written(tmp_path: Path, change: dict, message: str):
    with pytest.raises(MGCError, match=message):
        save_face_model(replace(triangle(), **change), tmp_path / "model.npz")
    assert list(tmp_path.iterdir()) == []


def test_names_resolve_to_converted_models(tmp_path: Path):
    save_face_model(triangle(), cache_folder() / "face_models" / "triangle.safetensors")
    assert set(available_face_models()) == {"makehuman", "triangle"}
    assert load_face_model("triangle").num_verts == 3
    assert load_face_model("triangle", level=1).num_verts == 4
    with pytest.raises(MGCError, match=r"No face model `bfm`\. Found: makehuman, triangle"):
        load_face_model("bfm")
