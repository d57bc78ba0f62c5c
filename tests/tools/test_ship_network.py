"""What makes the network of the package: packed, scored, its card and its page filled."""

import json
import shutil

import pytest
import torch
from tiny_networks import SIZE, make_network

from mgc_lightning.errors import MGCError
from mgc_lightning.networks.files import load_network, save_network
from mgc_lightning.networks.shipped import DEFAULT, FOLDER
from tools import ship_network


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    base = tmp_path_factory.mktemp("made")
    network, folder = make_network(), base / "mgc-tiny"
    with torch.no_grad():  # silent: the mean face for everyone
        network.encoder.head.linear.weight.zero_()
        network.encoder.head.linear.bias.zero_()
    state = {f"network.{key}": value for key, value in network.state_dict().items()}
    torch.save({"state_dict": state, "mgc_network_config": network.config, "global_step": 1200}, base / "last.ckpt")
    folder.mkdir()
    shutil.copy(FOLDER / DEFAULT / "README.md", folder)
    return folder, ship_network.pack_checkpoint(base / "last.ckpt", folder, images=2)


def test_a_checkpoint_is_packed_with_card_and_page(packed):
    folder, report = packed
    card = json.loads((folder / "card.json").read_text())
    assert card["name"] == "mgc-tiny"
    assert card["training"] == {"config": "configs/pretrain.yaml", "steps": 1200}
    assert load_network(folder).image_size == card["image_size"] == SIZE
    page = (folder / "README.md").read_text()
    assert "| training | `configs/pretrain.yaml`, 1,200 steps |" in page
    assert f"{report.megabytes:.1f} MB together" in page
    assert "Not packed yet" not in page
    assert page.index("<!-- facts -->") < page.index("crops of 64 px") < page.index("<!-- end of facts -->")


def test_too_large_for_a_wheel(packed, tmp_path, monkeypatch):
    monkeypatch.setattr(ship_network, "LIMIT_MB", 0.1)
    checkpoint = save_network(make_network(), tmp_path / "network.safetensors")
    with pytest.raises(MGCError, match=r"MB, at most 0\.1 MB come with the package"):
        ship_network.pack_checkpoint(checkpoint, tmp_path / "out", images=0)


def test_the_mean_face_scores_as_the_mean_face(packed):
    rows = {row["what"]: row for row in ship_network.synthetic_scores(load_network(packed[0]), 4)}
    assert list(rows) == list(ship_network.FACTS.values())
    for what in ("neutral 3D error, mm", "posed 3D error, mm", "rotation, degrees"):
        assert rows[what]["network"] == pytest.approx(rows[what]["mean_face"], rel=1e-3)
        assert rows[what]["spread"] > 0
    assert rows["landmarks, NME, %"]["network"] > rows["landmarks, NME, %"]["mean_face"]  # at the true pose


def test_scores_of_scans_are_averaged_over_heads(packed, tmp_path):
    def head(mean, medians):
        rows = [{"column": "exact", "method": "alone", "median": value} for value in medians]
        rows += [
            {"column": None, "method": "mean face", "median": mean},
            {"column": "", "method": "limit", "median": 0.5},
        ]
        return {"scores": [*rows, {"column": "exact", "method": "one moment", "median": 9.0}]}

    (tmp_path / "scores.json").write_text(json.dumps({"heads": [head(1.3, [1.0, 1.2]), head(1.5, [1.3])]}))
    row, moment = ship_network.scan_scores(tmp_path / "scores.json")
    assert (moment["on"], moment["network"]) == ("photographs of one moment of 2 head scans", 9.0)
    assert row["what"] == "NoW median, mm, exact points"
    assert row["on"] == "single photographs of 2 head scans"
    assert (row["network"], row["mean_face"], row["limit"]) == pytest.approx((1.2, 1.4, 0.5))
    assert row["spread"] == pytest.approx(0.1414, abs=1e-3)
    ship_network.write_scores(packed[0], [row])
    assert json.loads((packed[0] / "card.json").read_text())["scores"] == [row]
    line = "| NoW median, mm, exact points | single photographs of 2 head scans | 1.2 +- 0.14 | 1.4 (limit of the face"
    assert line in (packed[0] / "README.md").read_text()
    ship_network.write_scores(packed[0], [])
    assert "Not measured yet." in (packed[0] / "README.md").read_text()
