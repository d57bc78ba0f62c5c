"""Every face model source: the same contract, from tiny files in its owner's layout."""

import os
import pickle
import sys
from dataclasses import replace

import numpy as np
import pytest
import scipy.io
import torch

pytest.importorskip("h5py", reason="the extra `face-models` is not installed")

from meshes import face_normals
from owner_files import (
    NAMED,
    WRITERS,
    tiny_face,
    write_bfm09,
    write_bfm09_deep3d,
    write_flame,
    write_ict,
    write_statismo,
)

from mgc_lightning.cli import main
from mgc_lightning.errors import MGCError, MissingExtraError
from mgc_lightning.face_models import FaceModel, available_face_models, load_face_model, load_face_model_data
from mgc_lightning.face_models.bfm import OFFICIAL_LANDMARKS68, OFFICIAL_MAIN_POSE, landmark_sets
from mgc_lightning.face_models.importing import LOADERS, import_face_model
from mgc_lightning.face_models.landmark_proportions import departures
from mgc_lightning.files.places import cache_folder


@pytest.fixture(scope="module")
def face():
    return tiny_face()


@pytest.fixture(scope="module", params=list(LOADERS))
def imported(request, face, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    source = WRITERS[request.param](folder, face)
    path = import_face_model(request.param, source, folder=folder / "kept")
    return request.param, FaceModel(load_face_model_data(path)), path


class TestContract:
    """What every face model promises."""

    def test_millimetres(self, imported, face):
        _, model, _ = imported
        assert model.num_verts == len(face.verts)
        np.testing.assert_allclose(model.mean.numpy(), face.verts, atol=0.02)
        corners = model.landmarks68(model.mean)[[36, 45]]
        assert 60 < float((corners[0] - corners[1]).norm()) < 130

    def test_directions_are_per_deviation(self, imported, face):
        _, model, _ = imported
        np.testing.assert_allclose(model.identity_basis.numpy()[:5], face.identity, atol=2e-3)
        np.testing.assert_allclose(model.expression_basis.numpy()[:4], face.expression[:4], atol=2e-3)

    def test_normals_point_outward(self, imported):
        _, model, _ = imported
        faces = model.face_region_faces
        normals, centres = face_normals(model.mean, faces), model.mean[faces].mean(1)
        inside = model.landmarks68(model.mean)[27:31].mean(0) - torch.tensor([0.0, 0.0, 80.0])
        edges = model.mean[faces[:, 1:]] - model.mean[faces[:, :1]]
        area = torch.linalg.cross(edges[:, 0], edges[:, 1]).norm(dim=-1)
        outward = ((centres - inside) * normals).sum(-1) > 0
        # Nostrils and the edges of the eye sockets look inward.
        assert (area * outward).sum() > 0.9 * area.sum()

    def test_landmarks_are_on_their_sides_and_in_order(self, imported):
        _, model, _ = imported
        points = model.landmarks68(model.mean)
        jaw, brows, mouth = points[:17], points[17:27], points[48:60]
        assert (jaw[1:, 0] > jaw[:-1, 0]).all()
        assert (jaw[8:16, 1] < jaw[9:17, 1]).all()
        assert (brows[1:, 0] > brows[:-1, 0]).all()
        eyes = points[[36, 39, 42, 45], 0]
        assert (eyes[1:] > eyes[:-1]).all()
        assert (points[28:31, 1] < points[27:30, 1]).all()
        assert mouth[0, 0] < mouth[3, 0] < mouth[6, 0]
        assert mouth[3, 1] > mouth[9, 1]
        assert brows[:, 1].min() > points[36:48, 1].max() > mouth[:, 1].max() > jaw[8, 1]

    def test_landmarks_are_the_owners(self, imported, face):
        kind, model, _ = imported
        found = model.landmarks68(model.mean).numpy()
        if kind in ("bfm17", "bfm19"):
            # They name some; the others are transferred, onto triangles of this coarse mesh.
            named = list(NAMED.values())
            np.testing.assert_allclose(found[named], face.verts[face.landmarks[named]], atol=0.02)
            assert np.linalg.norm(found - face.landmark_points, axis=1).max() < 8
            assert departures(found) == []
        else:
            np.testing.assert_allclose(found, face.verts[face.landmarks], atol=0.02)

    def test_now_points_are_seven_of_the_68(self, imported):
        _, model, _ = imported
        seven, of_68 = model.landmarks7(model.mean), model.landmarks68(model.mean)
        torch.testing.assert_close(seven, of_68[[36, 39, 42, 45, 33, 48, 54]])

    def test_regions_are_present(self, imported):
        _, model, _ = imported
        assert 500 < int(model.face_mask.sum()) < model.num_verts
        assert {"face", "face_render", "nose", "lips", "eyes"} <= set(model.region_names)
        assert 500 < len(model.face_region_faces) < len(model.faces)
        nose_tip = model.landmarks68(model.mean)[30]
        assert (model.mean[model.face_mask] - nose_tip).norm(dim=1).max() <= 95.1

    def test_decoding_is_linear(self, imported):
        _, model, _ = imported
        a, b = torch.randn(2, model.layout.identity), torch.randn(2, model.layout.expression)
        offset = model.shape(a, b) - model.mean
        separate = (model.shape(a) - model.mean) + (model.shape(torch.zeros_like(a), b) - model.mean)
        torch.testing.assert_close(offset, separate, atol=1e-3, rtol=0)
        torch.testing.assert_close(model.shape(2 * a, 2 * b) - model.mean, 2 * offset, atol=2e-3, rtol=0)

    def test_gradients_are_finite(self, imported):
        _, model, _ = imported
        coefficients = model.mean_coefficients(2).map(lambda group: group.detach().requires_grad_())
        mesh = model(coefficients)
        (mesh.verts.sum() + mesh.normals.square().sum() + mesh.albedo.sum()).backward()
        for group in (coefficients.identity, coefficients.expression, coefficients.albedo):
            assert group.grad.isfinite().all()

    def test_albedo_is_a_colour(self, imported):
        _, model, _ = imported
        albedo = model.texture(torch.randn(4, model.layout.albedo))
        assert albedo.min() >= 0
        assert albedo.max() <= 1
        assert model.layout.albedo > 0
        tone = model.albedo_mean[model.face_mask].mean(0)
        assert tone[0] > tone[1] > tone[2]

    def test_sources_and_licence_are_recorded(self, imported):
        kind, model, path = imported
        data = load_face_model_data(path)
        assert data.info.name == model.name == kind
        assert data.info.licence
        assert data.info.sources
        assert all(len(source.sha256) == 64 for source in data.info.sources)


@pytest.fixture
def bfm09(tmp_path, face):
    return write_bfm09(tmp_path / "bfm.h5", face)


def test_bfm09_has_the_official_main_pose(bfm09):
    data = load_face_model_data(import_face_model("bfm09", bfm09))
    np.testing.assert_allclose(data.main_pose, OFFICIAL_MAIN_POSE, rtol=1e-6)


def test_both_landmark_sets_by_name(tmp_path, face):
    source = write_bfm09_deep3d(tmp_path / "BFM_model_front.mat", face)
    import_face_model("bfm09-deep3d", source, name="bfm")
    right, official = load_face_model("bfm"), load_face_model("bfm@official")
    np.testing.assert_array_equal(right.landmarks68_index[:, 0], face.landmarks)
    np.testing.assert_array_equal(official.landmarks68_index[:, 0], face.landmarks + 1)
    np.testing.assert_array_equal(official.landmarks7_index[0, 0], face.landmarks[36] + 1)
    assert official.fingerprint == right.fingerprint
    assert official.name == "bfm@official"
    assert load_face_model("bfm@corrected").landmarks68_index.equal(right.landmarks68_index)
    with pytest.raises(MGCError, match="no landmark set `other`; it has: corrected, official"):
        load_face_model("bfm@other")
    with pytest.raises(MGCError, match="it has: none"):
        load_face_model("makehuman@official")


def test_the_published_list_is_one_too_large():
    stored = np.array(OFFICIAL_LANDMARKS68)
    assert len(stored) == 68
    right, sets = landmark_sets(stored, one_based=False)
    np.testing.assert_array_equal(right, stored - 1)
    np.testing.assert_array_equal(sets["landmarks68.official"][:, 0], stored)
    other, _ = landmark_sets(stored + 5, one_based=False)
    np.testing.assert_array_equal(other, stored + 5)


@pytest.mark.parametrize(
    ("kind", "write"),
    [
        ("bfm09", lambda folder, face: write_bfm09(folder / "a.h5", face, unit=1.0)),
        ("bfm09-deep3d", lambda folder, face: write_bfm09_deep3d(folder / "a.mat", face, unit=1.0)),
        ("bfm17", lambda folder, face: write_statismo(folder / "a.h5", face, unit=1e3)),
        ("flame2020", lambda folder, face: write_flame(folder / "a", face, unit=1.0)),
        ("ict", lambda folder, face: write_ict(folder / "a", face, unit=1.0)),
    ],
)
def test_wrong_units_are_refused(tmp_path, face, kind, write):
    with pytest.raises(MGCError, match="outer eye corners are .* other units"):
        import_face_model(kind, write(tmp_path, face))
    assert list(available_face_models()) == ["makehuman"]


@pytest.mark.parametrize("kind", ["bfm09", "bfm09-deep3d", "bfm17", "bfm19", "flame2020", "flame2023"])
@pytest.mark.parametrize("share", [0, 0.5, 0.97])
def test_cut_files_are_one_error(tmp_path, face, kind, share):
    source = WRITERS[kind](tmp_path, face)
    file = source if source.is_file() else max(source.iterdir(), key=lambda path: path.stat().st_size)
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    with pytest.raises(MGCError, match=file.name):
        import_face_model(kind, source)


def test_missing_keys_and_wrong_shapes_are_named(tmp_path, face, bfm09):
    import h5py

    with h5py.File(bfm09, "a") as file:
        del file["shape/representer/idx_sub"]
    with pytest.raises(MGCError, match="has no `shape/representer/idx_sub`"):
        import_face_model("bfm09", bfm09)
    path = write_bfm09_deep3d(tmp_path / "a.mat", face)
    content = {key: value for key, value in scipy.io.loadmat(path).items() if not key.startswith("__")}
    content["idBase"] = content["idBase"][:-3]
    scipy.io.savemat(path, content, appendmat=False)
    with pytest.raises(MGCError, match=r"`idBase` has shape \(\d+, 5\), expected"):
        import_face_model("bfm09-deep3d", path)
    with pytest.raises(MGCError, match="no HDF5"):
        import_face_model("bfm17", path)
    with pytest.raises(MGCError, match="no MATLAB"):
        import_face_model("bfm09-deep3d", write_statismo(tmp_path / "b.h5", face))


def test_inward_triangles_are_refused(tmp_path, face):
    flipped = replace(face, faces=face.faces[:, ::-1].copy())
    with pytest.raises(MGCError, match="point inward"):
        import_face_model("bfm09", write_bfm09(tmp_path / "a.h5", flipped))


@pytest.mark.parametrize(
    ("signs", "complaint"), [((-1, 1, 1), "along x"), ((1, -1, 1), "along y"), ((1, 1, -1), "nose tip")]
)
def test_mirrored_and_turned_faces_are_refused(tmp_path, face, signs, complaint):
    turned = replace(face, verts=face.verts * signs)
    with pytest.raises(MGCError, match=complaint):
        import_face_model("bfm09", write_bfm09(tmp_path / "a.h5", turned))


class Malicious:
    """Run a command when unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


def test_malicious_flame_is_refused(tmp_path, face):
    marker = tmp_path / "ran"
    folder = write_flame(tmp_path / "flame", face)
    (folder / "generic_model.pkl").write_bytes(pickle.dumps({"v_template": Malicious(marker)}))
    with pytest.raises(MGCError, match="refused"):
        import_face_model("flame2020", folder)
    folder = write_flame(tmp_path / "flame", face)
    np.save(folder / "landmark_embedding.npy", {"full_lmk_faces_idx": Malicious(marker)}, allow_pickle=True)
    with pytest.raises(MGCError, match="refused"):
        import_face_model("flame2020", folder)
    assert not marker.exists()


def test_flame_jaw_is_transferred_where_no_contour_is_given(tmp_path, face):
    folder = write_flame(tmp_path / "flame", face, embedding="static")
    model = FaceModel(load_face_model_data(import_face_model("flame2020", folder)))
    found = model.landmarks68(model.mean)
    distance = (found - torch.from_numpy(face.verts[face.landmarks])).norm(dim=1)
    assert distance[17:].max() < 0.05
    jaw = found[:17].numpy() - face.landmark_points[:17]
    assert np.linalg.norm(jaw, axis=1).max() < 8


def test_flame_without_embedding_or_model_says_what_to_do(tmp_path, face):
    folder = write_flame(tmp_path / "flame", face)
    (folder / "landmark_embedding.npy").unlink()
    with pytest.raises(MGCError, match="no landmark embedding"):
        import_face_model("flame2020", folder)
    (folder / "generic_model.pkl").unlink()
    with pytest.raises(MGCError, match=r"Expected one FLAME model .* found none"):
        import_face_model("flame2020", folder)


def test_ict_missing_shape_is_named(tmp_path, face):
    source = write_ict(tmp_path, face)
    (source / "FaceXModel" / "jawOpen.obj").unlink()
    with pytest.raises(MGCError, match=r"jawOpen\.obj cannot be read"):
        import_face_model("ict", source)


def test_missing_h5py_names_the_extra(monkeypatch, bfm09):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"mgc-lightning\[face-models\]"):
        import_face_model("bfm09", bfm09)


def run(*arguments):
    with pytest.raises(SystemExit) as status:
        main(["face-model", *map(str, arguments)])
    return status.value.code


def test_commands(bfm09, capsys):
    assert run("import", "bfm09", "--source", bfm09) == 0
    kept = cache_folder() / "face_models" / "bfm09.safetensors"
    told = capsys.readouterr().out
    assert str(kept) in told
    # This coarse mesh has its points at vertices.
    assert "not quite iBUG's, which detectors find: lip_55_59 is" in told
    assert run("list") == 0
    listed = capsys.readouterr().out
    assert "makehuman" in listed
    assert "bfm09" in listed
    assert "landmark sets: bfm09@corrected, bfm09@official" in listed
    assert "ict: not installed" in listed
    kept.write_bytes(b"")
    assert run("list") == 1


@pytest.mark.parametrize("name", ["makehuman", "../up", ".hidden", "a/b", "a@b"])
def test_names_are_plain(bfm09, name):
    with pytest.raises(MGCError, match="cannot be named"):
        import_face_model("bfm09", bfm09, name=name)


def test_unknown_kind_and_absent_source(tmp_path):
    with pytest.raises(MGCError, match="`kind` must be one of bfm09, .*; got 'smpl'"):
        import_face_model("smpl", tmp_path)
    with pytest.raises(MGCError, match="does not exist"):
        import_face_model("bfm09", tmp_path / "absent.h5")
