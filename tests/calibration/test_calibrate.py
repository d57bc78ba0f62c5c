"""Calibrating on photographs of people: a network that is wrong in a known way is put right by what a mesh measures."""

import copy
import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from mgc_lightning.calibration import CalibrateSettings, calibrate, fit_affine, fold_into, write_calibrated
from mgc_lightning.calibration.affine import AffineMap, unseen_error
from mgc_lightning.calibration.people import MeasuredPeople, find_faces, measure_people
from mgc_lightning.calibration.run import list_photographs
from mgc_lightning.cli import main
from mgc_lightning.coefficients import CoefficientLayout
from mgc_lightning.encoders import Encoder, ResNet
from mgc_lightning.errors import MGCError
from mgc_lightning.face_models import load_face_model
from mgc_lightning.fitting import mesh_points
from mgc_lightning.geometry.camera import intrinsics, project
from mgc_lightning.geometry.pose import transform_points
from mgc_lightning.metrics.shape import vertex_distance
from mgc_lightning.networks import FaceNetwork, OutputScaling, Predictor, load_network, load_predictor
from mgc_lightning.networks.calibrated import Calibrated
from mgc_lightning.photographs.detection import DetectedFace
from mgc_lightning.reconstruction.reconstructor import FaceReconstructor
from mgc_lightning.reconstruction.refinement import refine
from mgc_lightning.synthetic.dataset import make_triplets
from mgc_lightning.synthetic.settings import SyntheticSettings

SIZE, PEOPLE, REST = 128, 30, 20
AT_REST = SyntheticSettings(
    linked=0.0, unlinked=1.0, yaw_limit=15.0, occluders=0.0, alignment_jitter=0.0, expression=0.0
)
SHIFT = 1.5
"""Standard deviations by which the people differ from the face model's mean, in the first identities."""
WRONG = 1.5
"""Standard deviations by which the network's next identities are off, for everyone."""


class People:
    """Rendered people, a file each, and a detector that knows where the vertices of a face mesh are."""

    def __init__(self, folder):
        self.model = load_face_model()
        population = copy.deepcopy(self.model)
        population.mean += SHIFT * self.model.identity_basis[:5].sum(0)
        batch = make_triplets(population, list(range(PEOPLE)), image_size=SIZE, settings=AT_REST, views=1)
        self.truth, self.landmarks = batch.truth, batch.landmarks[:, 0]
        points = mesh_points(self.model)
        nearest = torch.cdist(points.points.mean, self.model.mean.double()).argmin(1)
        T, posed = self.truth.T_cam_model[:, 0], self.truth.verts_posed[:, 0]
        beside = (points.points.mean - self.model.mean.double()[nearest]).to(posed)
        meshes = torch.full((PEOPLE, 468, 2), torch.nan)
        meshes[:, points.vertices] = project(transform_points(T, posed[:, nearest] + beside), intrinsics(SIZE))
        self.meshes, self.files = meshes, []
        for number, image in enumerate(batch.images[:, 0]):
            path = folder / f"{number:02d}.png"
            Image.fromarray((image.permute(1, 2, 0) * 255).round().byte().numpy()).save(path)
            self.files.append(path)
        self.images = [torch.round(image * 255) / 255 for image in batch.images[:, 0]]
        self.without_mesh = set()

    def detect(self, image, path=None):
        number = int(torch.stack([(image - other).abs().mean() for other in self.images]).argmin())
        mesh = None if number in self.without_mesh else self.meshes[number]
        return [DetectedFace(self.landmarks[number], mesh=mesh)]


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    return People(tmp_path_factory.mktemp("people"))


@pytest.fixture(scope="module")
def wrong():
    """The network of the package, off by the same for everyone."""
    network = copy.deepcopy(load_network())
    network.calibrated = None
    with torch.no_grad():
        network.encoder.head.linear.bias[5:15] += WRONG / network.output_scaling.identity
    return network


@pytest.fixture(scope="module")
def result(people, wrong):
    chosen = CalibrateSettings(source="a set", rounds=2)
    return calibrate(wrong, people.files[:REST], people.files[REST:], detector=people, settings=chosen)


def test_a_constant_error_of_a_network_is_found_and_gone(people, wrong, result):
    calibrated, report = result
    assert (report.neutral, report.others, report.skipped) == (REST, PEOPLE - REST, [])
    assert report.after_mm < 0.6 * report.before_mm
    found = [FaceReconstructor(Predictor.from_network(n), people) for n in (wrong, calibrated)]
    before, after = (r.reconstruct(people.files[0]).coefficients.identity[5:15].mean() for r in found)
    assert before - after > 0.6 * WRONG
    assert calibrated.calibrated.photographs == PEOPLE
    assert wrong.calibrated is None


def test_the_mean_of_the_people_is_found(people, wrong):
    reconstructor = FaceReconstructor(Predictor.from_network(wrong), people)
    faces = find_faces(reconstructor, people.files[:REST]).faces
    mean = measure_people(reconstructor, faces, rounds=8).mean
    truth, inside = people.truth.verts_neutral[:REST, 0].mean(0), people.model.face_mask
    off = [float(vertex_distance(v[None], truth[None], inside)) for v in (people.model.shape(mean), people.model.mean)]
    assert off[0] < 0.75 * off[1]  # frontal points say little of depth


def test_order_of_photographs_does_not_matter(people, wrong):
    reconstructor = FaceReconstructor(Predictor.from_network(wrong), people)
    faces = find_faces(reconstructor, people.files[:6]).faces
    one, other = (measure_people(reconstructor, some, rounds=1) for some in (faces, faces[::-1]))
    torch.testing.assert_close(one.mean, other.mean, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(one.measured, other.measured.flip(0), rtol=1e-3, atol=1e-3)


def test_what_a_calibrated_network_says_is_carried_whole_by_refining(people, wrong):
    identities = []
    for calibrated in (None, Calibrated(100, 0.3)):
        network = copy.deepcopy(wrong)
        network.calibrated = calibrated
        reconstructor = FaceReconstructor(Predictor.from_network(network), people)
        (face,) = refine(reconstructor, [reconstructor.reconstruct(people.files[0])])
        identities.append(face.coefficients.identity[5:15].mean())
    assert identities[1] > identities[0] + 0.2  # closer to what the wrong network says


def test_the_folded_map_is_the_map_of_the_outputs():
    model = load_face_model()
    torch.manual_seed(0)
    encoder = Encoder(ResNet(18, width=4), model.layout.total, head_std=0.1)
    network = FaceNetwork(encoder, model, image_size=32, output_scaling=OutputScaling.measured()).eval()
    images, C = torch.rand(3, 3, 32, 32), model.layout.total
    affine = AffineMap(torch.eye(C) + 0.01 * torch.randn(C, C), torch.randn(C))
    folded = fold_into(network, affine, Calibrated(20, 0.1))
    with torch.no_grad():
        expected = affine(network.predict_vector(images))
        torch.testing.assert_close(folded.predict_vector(images), expected, rtol=1e-3, atol=1e-2)


def test_a_linear_error_is_found_exactly():
    layout = CoefficientLayout(identity=3, albedo=1, expression=2)
    generator = torch.Generator().manual_seed(1)
    truth = torch.randn(200, layout.total, generator=generator)
    s = layout.slices
    predicted = truth.clone()
    predicted[:, s["identity"]] = truth[:, s["identity"]] @ torch.tensor([[2.0, 0, 0], [0.5, 1, 0], [0, 0, 4]]) + 1.0
    predicted[:, s["expression"]] += 0.3 * truth[:, :2]
    predicted[:, s["pose"]] -= 0.7
    people = MeasuredPeople(predicted, truth, torch.ones(200, dtype=torch.bool), truth[:, :3].mean(0))
    affine = fit_affine(people, layout, torch.ones(2), CalibrateSettings(ridge=1e-3, ridge_expression=1e-3))
    torch.testing.assert_close(affine(predicted), truth, rtol=1e-3, atol=1e-3)


def test_one_person_in_both_lists_is_held_out_of_both():
    layout = CoefficientLayout(identity=2, albedo=1, expression=1)
    x = torch.randn(20, layout.total, generator=torch.Generator().manual_seed(0))
    y = torch.randn(10, layout.total, generator=torch.Generator().manual_seed(1)).repeat(2, 1)
    rest = torch.arange(20) < 10
    twice = x[:10].repeat(2, 1)  # the same pictures at rest and as others: nothing is to be known of the held person
    settings = CalibrateSettings(ridge=1e-3)
    both = unseen_error(MeasuredPeople(twice, y, rest, torch.zeros(2)), layout, torch.ones(1), settings)
    once = unseen_error(MeasuredPeople(x[:10], y[:10], rest[:10], torch.zeros(2)), layout, torch.ones(1), settings)
    torch.testing.assert_close(both[:10], once, rtol=1e-2, atol=1e-2)


def test_files_keep_that_a_network_is_calibrated(result, tmp_path):
    calibrated, report = result
    write_calibrated(calibrated, report, tmp_path / "out")
    for name in ("network.safetensors", "network.onnx"):
        assert load_predictor(tmp_path / "out" / name).calibrated == calibrated.calibrated
    assert load_network(tmp_path / "out").calibrated.source == "a set"
    assert json.loads((tmp_path / "out" / "calibration.json").read_text())["neutral"] == REST


def test_photographs_without_a_mesh_are_named_and_too_few_refused(people, wrong, tmp_path, monkeypatch):
    monkeypatch.setattr(people, "without_mesh", {0})
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    given = [*people.files[:3], tmp_path / "broken.jpg"]
    found = find_faces(FaceReconstructor(Predictor.from_network(wrong), people), given)
    assert len(found.faces) == 2
    assert [name for name, _ in found.skipped] == [str(given[0]), str(given[-1])]
    with pytest.raises(MGCError, match=r"2 photographs of faces at rest can be used, 20 are needed(.|\n)*00.png"):
        calibrate(wrong, given, detector=people)


def test_a_picture_counts_once_and_what_is_none_is_named(people, tmp_path):
    (tmp_path / "again.png").write_bytes(people.files[0].read_bytes())
    (tmp_path / "clip.mp4").touch()
    (tmp_path / "notes.txt").touch()
    (rest, others), skipped = list_photographs(people.files[:2], [tmp_path, people.files[2]])
    assert (rest, others) == (people.files[:2], [people.files[2]])
    reasons = {Path(name).name: reason for name, reason in skipped}
    assert "video" in reasons["clip.mp4"]
    assert "00.png" in reasons["again.png"]
    assert "notes.txt" in reasons
    assert list_photographs(people.files[0])[0][0] == people.files[:1]
    with pytest.raises(MGCError, match="gone.jpg: no such photograph"):
        list_photographs(people.files[:2], [tmp_path / "gone.jpg"])


def test_a_network_that_would_be_further_off_is_not_given(people, result):
    calibrated, _ = result  # is right already: a few photographs of the same people bring noise alone
    with pytest.raises(MGCError, match="too few for this network"):
        calibrate(calibrated, people.files[:REST], detector=people, settings=CalibrateSettings(rounds=1))


def test_earlier_photographs_stay_known():
    first, then = Calibrated(204, 0.1, "a set"), Calibrated(30, 0.2)
    assert then.after(first) == Calibrated(234, 0.2, "a set")
    assert then.after(None) == then


@pytest.mark.parametrize("values", [{"ridge": 0.0}, {"ridge_expression": 0.0}, {"least": 1}, {"rounds": 0}])
def test_settings_that_cannot_be_fitted_are_refused(values):
    with pytest.raises(MGCError, match=next(iter(values))):
        CalibrateSettings(**values)


def test_a_head_that_cannot_take_it_is_one_sentence(wrong):
    network = copy.deepcopy(wrong)
    network.encoder.head.linear = torch.nn.Sequential(network.encoder.head.linear)
    C = wrong.layout.total
    with pytest.raises(MGCError, match="last layer"):
        fold_into(network, AffineMap(torch.eye(C), torch.zeros(C)), Calibrated(20, 0.1))
    unscaled = copy.deepcopy(wrong)
    unscaled.scale[0] = 0
    with pytest.raises(MGCError, match="output scaling"):
        fold_into(unscaled, AffineMap(torch.eye(C), torch.zeros(C)), Calibrated(20, 0.1))


def test_a_stored_calibration_that_is_none_is_refused(wrong):
    for bad in ("yes", {"photographs": -1, "identity_error": 0.1}, {"photographs": 3}, {"photographs": 3, "x": 1}):
        with pytest.raises(MGCError):
            FaceNetwork.from_config({**wrong.config, "calibrated": bad})


def test_the_command_without_photographs_says_so(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit) as ended:
        main(["calibrate", str(tmp_path / "empty"), "--output", str(tmp_path / "out")])
    assert ended.value.code == 2
    assert "empty: no photograph" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
