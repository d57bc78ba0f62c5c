"""A head that moves: what a program shows of the GLB is what the face model decodes."""

import json
import struct

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from mgc_lightning.coefficients import FaceCoefficients
from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import load_face_model
from mgc_lightning.files.mesh import read_mesh
from mgc_lightning.files.rigged import Motion, write_rigged_glb
from mgc_lightning.geometry.pose import pose_to_transform
from mgc_lightning.reconstruction.rig import write_video_rig


class Shown:
    """Read a GLB as a viewer does."""

    def __init__(self, path):
        data = path.read_bytes()
        magic, version, total, length, kind = struct.unpack("<4sIII4s", data[:20])
        assert (magic, version, total, kind) == (b"glTF", 2, len(data), b"JSON")
        self.content = json.loads(data[20 : 20 + length])
        self.binary = data[28 + length :]
        (self.mesh,) = self.content["meshes"]
        (self.primitive,) = self.mesh["primitives"]

    def array(self, number):
        accessor = self.content["accessors"][number]
        view = self.content["bufferViews"][accessor["bufferView"]]
        width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}[accessor["type"]]
        kind = {5126: "<f4", 5125: "<u4"}[accessor["componentType"]]
        values = np.frombuffer(self.binary, kind, accessor["count"] * width, view["byteOffset"]).reshape(-1, width)
        assert view["byteOffset"] % 4 == 0
        if "min" in accessor:
            np.testing.assert_array_equal(values.min(0), np.array(accessor["min"], kind))
        return values

    def verts(self, weights):
        targets = [self.array(target["POSITION"]) for target in self.primitive["targets"]]
        return self.array(self.primitive["attributes"]["POSITION"]) + np.tensordot(weights, targets, 1)

    def animated(self, path):
        (animation,) = self.content["animations"]
        (channel,) = [c for c in animation["channels"] if c["target"]["path"] == path]
        sampler = animation["samplers"][channel["sampler"]]
        return self.array(sampler["input"])[:, 0], self.array(sampler["output"]), channel["target"]["node"]


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Give a video's coefficients with a gap, its similarities, and the rig that was written."""
    model = load_face_model()
    generator = torch.Generator().manual_seed(0)
    vectors = 0.3 * torch.randn(5, model.layout.total, generator=generator)
    coefficients = FaceCoefficients.from_vector(vectors, model.layout)
    coefficients.pose[:] = torch.tensor([0.0, 0.0, torch.pi, 0.0, 0.0, 5000.0])
    coefficients.pose[:, 1] = torch.linspace(-0.4, 0.4, 5)
    angle = 0.3  # by which the head rolls in the frames, and not in their crops
    matrices = torch.tensor([[np.cos(angle), np.sin(angle), 3.0], [-np.sin(angle), np.cos(angle), 5.0]]).float()
    known = np.array([False, True, True, False, True])
    times = np.array([0.0, 0.1, 0.2, 0.3, 0.5])
    folder = tmp_path_factory.mktemp("rig")
    path = write_video_rig(coefficients, matrices.repeat(5, 1, 1) * 0.5, known, times, folder, model)
    return model, coefficients, angle, known, path


def test_the_head_of_every_frame(video):
    model, coefficients, _, known, path = video
    shown = Shown(path)
    times, weights, node = shown.animated("weights")
    np.testing.assert_allclose(times, [0.0, 0.1, 0.2, 0.4], atol=1e-6)
    assert shown.content["nodes"][node]["mesh"] == 0
    assert shown.mesh["extras"]["targetNames"] == model.expression_names
    weights = weights.reshape(4, model.layout.expression)
    identity = coefficients.identity[torch.from_numpy(known)].median(0).values
    for place, frame in ((0, 1), (1, 2), (3, 4)):
        expected = model.shape(identity, coefficients.expression[frame])
        np.testing.assert_allclose(shown.verts(weights[place]), expected, atol=2e-3)
    # Of the gap, two thirds of the way nearer to the frame before.
    between = coefficients.expression[2] * 2 / 3 + coefficients.expression[4] / 3
    np.testing.assert_allclose(weights[2], between, atol=1e-6)


def test_it_turns_as_before_the_camera(video):
    _, coefficients, angle, known, path = video
    _, rotations, _ = Shown(path).animated("rotation")
    flip = np.diag([1.0, -1.0, -1.0])
    # The crop is the frame turned by `angle`: the frame's camera sees the head turned back.
    roll = Rotation.from_rotvec([0, 0, angle]).as_matrix()
    for place, frame in ((0, 1), (1, 2), (3, 4)):
        R = pose_to_transform(coefficients.pose[frame])[:3, :3].double().numpy()
        np.testing.assert_allclose(Rotation.from_quat(rotations[place]).as_matrix(), flip @ roll @ R, atol=1e-6)
    assert (np.sum(rotations[1:] * rotations[:-1], axis=1) > 0).all()


def test_a_frontal_head_is_upright(video):
    _, _, _, _, path = video
    mesh = read_mesh(path)
    assert np.ptp(mesh.verts[:, 1]) > 200  # mm, y up
    node = Shown(path).content["nodes"][1]
    assert node["scale"] == [0.001] * 3
    assert mesh.colors.std() > 0.01


def test_what_does_not_fit_is_refused(tmp_path):
    verts, faces = np.eye(3), np.array([[0, 1, 2]])
    common = (verts, faces, verts, verts)
    with pytest.raises(MGCError, match=r"expected 2 targets of \(3, 3\)"):
        write_rigged_glb(tmp_path / "a.glb", *common, verts[None], ["a", "b"], np.zeros(2))
    with pytest.raises(MGCError, match="not finite"):
        write_rigged_glb(tmp_path / "a.glb", *common, verts[None], ["a"], np.array([np.nan]))
    still = Motion(np.array([0.0, 0.0]), np.zeros((2, 1)), np.tile([0, 0, 0, 1.0], (2, 1)))
    with pytest.raises(MGCError, match="do not rise"):
        write_rigged_glb(tmp_path / "a.glb", *common, verts[None], ["a"], np.zeros(1), still)
    with pytest.raises(MGCError, match=r"expected a \.glb"):
        write_rigged_glb(tmp_path / "a.fbx", *common, verts[None], ["a"], np.zeros(1))
    assert not list(tmp_path.iterdir())
