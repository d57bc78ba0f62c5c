"""Names that files bring lead nowhere but into their folders."""

import json
from pathlib import Path

import pytest
import torch
from triplet_sets import write_set

from mgc_lightning.errors import MGCError
from mgc_lightning.evaluation.now.dataset import read_image_list
from mgc_lightning.evaluation.realy.dataset import REALYImage
from mgc_lightning.face_models import load_face_model
from mgc_lightning.files.names import inside, safe_name
from mgc_lightning.files.textured import read_textured_mesh
from mgc_lightning.photographs.sources.known import celeba_source
from mgc_lightning.synthetic.dataset import make_triplets
from mgc_lightning.triplets.official import OfficialLayout
from mgc_lightning.triplets.shards import ShardSet

ESCAPES = ["../evil.tar", "/evil.tar", "a/../../evil.tar", "..\\evil.tar", "C:evil.tar", "\\\\host\\evil.tar"]
ODD = ["", ".", "a/", "./", "a\0b", "a\nb", " a", "x" * 201, "é" * 101, None, 3, ["a"], "\ud800"]


@pytest.mark.parametrize("name", ESCAPES + ODD)
def test_no_name_leads_out(name):
    for nested in (False, True):
        with pytest.raises(MGCError, match=r"^list\.txt: "):
            safe_name(name, "list.txt", nested)


@pytest.mark.parametrize("name", ["a.tar", "..a", "a..b", "Jürgen 1.jpg", "x" * 200, "a-b_c@d.e"])
def test_ordinary_names_stay(name, tmp_path):
    assert safe_name(name, "list.txt") == name
    assert inside(tmp_path, f"a/{name}", "list.txt", nested=True) == tmp_path / "a" / name
    with pytest.raises(MGCError, match="without folders"):
        safe_name(f"a/{name}", "list.txt")


@pytest.mark.parametrize("name", ["./skin.mtl", ".\\skin.mtl", "././skin.mtl", ".//skin.mtl"])
def test_a_neighbour_may_be_named_by_a_dot(name):
    assert safe_name(name, "head.obj") == "skin.mtl"
    assert safe_name(f"maps/{name}", "head.obj", nested=True) == "maps/skin.mtl"


@pytest.fixture
def triplet_set(tmp_path):
    write_set(tmp_path / "set", make_triplets(load_face_model(), 2, image_size=32), train=2)
    return tmp_path / "set"


@pytest.mark.parametrize("name", ESCAPES)
@pytest.mark.parametrize("remote", [False, True])
def test_a_manifest_writes_and_reads_nothing_outside(triplet_set, tmp_path, name, remote):
    manifest = json.loads((triplet_set / "manifest.json").read_text())
    shard = manifest["splits"]["train"][0]
    outside = (triplet_set / "train-000000.tar").rename(tmp_path / "evil.tar")
    manifest["splits"]["train"] = [{**shard, "name": name}]
    (triplet_set / "manifest.json").write_text(json.dumps(manifest))
    before = set(tmp_path.rglob("*"))
    place = f"file://{triplet_set}" if remote else triplet_set
    with pytest.raises(MGCError, match="leads out of its folder"):
        ShardSet(place, "train", cache=tmp_path / "cache")
    assert set(tmp_path.rglob("*")) == before
    assert outside.is_file()


@pytest.mark.parametrize("line", ["a/../../evil.jpg", "../../evil.jpg", "a/b/..jpg/../x.jpg", "a/ ../x.jpg"])
def test_a_now_list_names_no_place_outside(tmp_path, line):
    (tmp_path / "list.txt").write_text(f"iphone_pictures/anna/selfie/1.jpg\n{line}\n")
    with pytest.raises(MGCError, match=r"list\.txt, line 2"):
        read_image_list(tmp_path / "list.txt")


def test_lists_of_photographs_name_no_place_outside(tmp_path):
    (tmp_path / "train.txt").write_text("2 ../anna frame\n")
    with pytest.raises(MGCError, match=r"train\.txt, line 1: the name '\.\./anna' leads out"):
        OfficialLayout(tmp_path, "train")
    (tmp_path / "img_celeba").mkdir()
    (tmp_path / "identity_CelebA.txt").write_text("/etc/passwd 1\n")
    with pytest.raises(MGCError, match="leads out"):
        celeba_source(tmp_path)


def test_materials_name_no_place_outside(tmp_path):
    (tmp_path / "s.obj").write_text("mtllib ../s.mtl\nv 0 0 0\nv 9 0 0\nv 0 9 0\nf 1 2 3\n")
    with pytest.raises(MGCError, match="leads out"):
        read_textured_mesh(tmp_path / "s.obj")
    (tmp_path / "s.obj").write_text("mtllib s.mtl\nusemtl a\nv 0 0 0\nv 9 0 0\nv 0 9 0\nf 1 2 3\n")
    (tmp_path / "s.mtl").write_text("newmtl a\nmap_Kd /etc/passwd\n")
    with pytest.raises(MGCError, match="leads out"):
        read_textured_mesh(tmp_path / "s.obj")


@pytest.mark.parametrize("name", ["1_2_3", "1_", "_1", "٣", "1" * 10, "1.0", "-1"])
def test_a_prediction_is_named_by_one_or_two_numbers(name):
    with pytest.raises(MGCError, match="numbers both"):
        REALYImage(name)


def test_a_stored_face_model_is_named_not_placed(tmp_path):
    from mgc_lightning import Encoder, FaceNetwork, ResNet

    model = load_face_model()
    config = FaceNetwork(Encoder(ResNet(18, width=4), model.layout.total), model, image_size=32).config
    config["face_model"]["name"] = str(Path("/etc/evil.npz"))
    with pytest.raises(MGCError, match="leads out"):
        FaceNetwork.from_config(config)
    assert torch.is_tensor(model.mean)
