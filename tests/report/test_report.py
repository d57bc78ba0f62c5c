"""Pages of runs, of scores and of faces: right, whole, escaped, and alone."""

import json
import re

import numpy as np
import pytest
import yaml
from browser import Browser, needs_browser
from PIL import Image
from wandb_records import write_wandb

from mgc_lightning.cli import main
from mgc_lightning.errors import MGCError
from mgc_lightning.files.mesh import write_mesh
from mgc_lightning.files.wandb_file import read_wandb_file
from mgc_lightning.report.history import read_history
from mgc_lightning.report.write import write_report

HOSTILE = '<img src=x onerror="document.title=1">\'&</script><script>document.title=2</script>'
METRICS = """epoch,step,train/loss,val/loss,val/nme,val/nme_mean_face,lr
0,10,2.0,,,,0.001
0,20,1.0,,,,0.001
0,20,,1.5,3.0,2.5,
0,40,0.5,,,,0.0005
0,40,,1.0,2.0,2.5,
"""


@pytest.fixture
def run(tmp_path):
    """A run of CSVLogger with a config, a contact sheet and a checkpoint."""
    folder = tmp_path / "runs" / "version_0"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "metrics.csv").write_text(METRICS)
    (folder / "config.yaml").write_text(yaml.safe_dump({"model": {"note": HOSTILE}}))
    Image.new("RGB", (300, 200), (200, 30, 30)).save(folder / "contact_sheet.png")
    write_mesh(folder / "best.glb", np.eye(3) * 50, [[0, 1, 2]], np.eye(3))
    return folder


@pytest.fixture
def wandb_run(tmp_path):
    """A run of WandbLogger whose strings are hostile."""
    from wandb.proto import wandb_internal_pb2 as messages

    folder = tmp_path / "runs" / "quickstart" / "abc"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("{}\n")
    (folder / "export").mkdir()
    records = [messages.Record()]
    records[0].run.run_id, records[0].run.display_name = "abc", HOSTILE
    records.append(messages.Record())
    records[1].environment.program = "/usr/bin/lightning"
    records[1].environment.args.extend(["fit", "--config", HOSTILE])
    for step in range(400):
        record = messages.Record()
        values = {"trainer/global_step": step, "train/loss": 100 / (step + 1), f"train/{HOSTILE}": 1.0, "x": "NaN"}
        for key, value in values.items():
            item = record.history.item.add()
            item.nested_key.append(key)
            item.value_json = json.dumps(value)
        records.append(record)
    item = records[-1].history.item.add()
    item.key, item.value_json = "val/contact_sheet/filenames", json.dumps(["media/1.png", "../../../../secret.png"])
    own = tmp_path / "runs" / "wandb" / "offline-run-20260101_000000-abc"
    write_wandb(own / "run-abc.wandb", records)
    (own / "files" / "media").mkdir(parents=True)
    for place in (own / "files" / "media" / "1.png", tmp_path / "secret.png"):
        Image.new("RGB", (40, 30)).save(place)
    return folder


def test_metrics_of_a_csv(run):
    history = read_history(run)
    assert set(history.metrics) == {"train/loss", "val/loss", "val/nme", "val/nme_mean_face", "lr"}
    assert history.metrics["train/loss"].steps.tolist() == [10, 20, 40]
    assert history.metrics["val/nme"].values.tolist() == [3.0, 2.0]


def test_metrics_of_wandb(wandb_run):
    history = read_history(wandb_run)
    loss = history.metrics["train/loss"]
    np.testing.assert_allclose(loss.values, 100 / (np.arange(400) + 1))
    assert history.command.startswith("lightning fit --config ")
    assert [path.name for _, path in history.pictures["val/contact_sheet"]] == ["1.png"]


def test_a_run_that_is_cut_off_or_no_run(wandb_run, tmp_path):
    (file,) = (tmp_path / "runs" / "wandb").rglob("*.wandb")
    data = file.read_bytes()
    file.write_bytes(data[: len(data) * 2 // 3])
    assert 200 < len(read_history(wandb_run).metrics["train/loss"].steps) < 400
    file.write_bytes(b"<html>" + data)
    with pytest.raises(MGCError, match="expected a run of W&B"):
        list(read_wandb_file(file))


def texts(page):
    return re.sub(r"<[^>]*>", " ", re.sub(r"<(style|script).*?</\1>", "", page, flags=re.DOTALL))


def test_the_page_of_a_run(run, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        main(["report", str(run), "-o", str(tmp_path / "a.html")])
    assert end.value.code == 0
    page = (tmp_path / "a.html").read_text()
    cells = re.findall(r"<td[^>]*>(.*?)</td>", page)
    assert cells[:7] == ["landmarks, NME, %", "3.00", "2.00", "40", "2.00", "2.50", "0.800"]
    assert "mean face 2.5" in texts(page)
    assert page.count("<svg") == 3
    assert page.count("<iframe") == 1
    assert page.count('src="data:image/jpeg;base64,') == 1
    assert HOSTILE not in page


def test_everything_is_escaped(wandb_run, tmp_path):
    page = write_report(wandb_run, tmp_path / "a.html").read_text()
    assert "<img src=x" not in page
    assert "<script>document" not in page
    assert page.count("&lt;img src=x") >= 3  # name of the run, of a metric, and command
    assert "secret" not in page


@needs_browser
@pytest.mark.parametrize(("width", "dark"), [(1100, False), (390, True)])
def test_in_a_browser(run, wandb_run, tmp_path, width, dark):
    page = write_report(tmp_path / "runs", tmp_path / "a.html").as_uri()
    with Browser(width, 900, dark) as browser:
        browser.open(page)
        browser.run("new Promise(done => setTimeout(done, 500))")
        assert browser.run("document.title") == "runs"
        assert browser.run("document.documentElement.scrollWidth") <= width  # nothing sticks out
        ground = browser.picture()[4, 4]
        assert (ground < 40).all() if dark else (ground > 240).all()
        assert browser.run("document.querySelectorAll('svg').length") >= 4
        assert not browser.complaints()
        assert {address.split(":")[0] for address in browser.requests()} <= {"file", "data", "about"}
        assert [address for address in browser.requests() if address.startswith("file")] == [page]


def scores(folder, name, median, images=("a/1.jpg", "a/2.jpg")):
    rows = [{"name": image, "median": median, "mean": median, "std": 1.0} for image in images]
    content = {"median": median, "mean": median, "std": 1.0, "distances": 9, "predictions": len(rows), "missing": []}
    (folder / f"{name}.json").write_text(json.dumps({**content, "images": rows}))
    (folder / name).mkdir()
    lines = "".join(f"{mm / 100},{100 * min(1, mm / 100 / median)}\n" for mm in range(1000))
    (folder / name / "cumulative_error.csv").write_text("distance_mm,percent\n" + lines)


def test_scores_of_methods_side_by_side(tmp_path):
    for name, median in (("mean_face", 1.5), ("mine", 1.25)):
        scores(tmp_path, name, median, images=("a/1.jpg", HOSTILE))
    page = write_report(tmp_path, tmp_path / "a.html").read_text()
    cells = re.findall(r"<td[^>]*>(.*?)</td>", page)
    assert cells[:2] == ["mean_face", "1.500"]
    assert cells[6:8] == ["mine", "1.250"]
    assert "no mean face" not in page
    assert page.count("<svg") == 1
    assert "<img src=x" not in page
    assert "There is no mean face" in write_report(tmp_path / "mine.json", tmp_path / "b.html").read_text()


def test_reconstructed_faces(tmp_path):
    folder = tmp_path / "faces"
    write_mesh(folder / "anna" / "face.ply", np.eye(3) * 50, [[0, 1, 2]], np.eye(3))
    Image.new("RGB", (64, 48)).save(folder / "anna" / "overlay.png")
    done = [{"input": f"photos/{HOSTILE}.jpg", "folder": "anna", "refined": True}]
    failed = [{"input": "photos/7.jpg", "reason": f"no face {HOSTILE}"}]
    (folder / "report.json").write_text(json.dumps({"done": done, "failed": failed, "skipped": []}))
    page = write_report(folder, tmp_path / "a.html").read_text()
    assert page.count("<iframe") == 1
    assert page.count("data:image/jpeg") == 1
    assert "<img src=x" not in page
    assert "1 inputs could not be used" in page
    done[0]["folder"] = "../../etc"
    (folder / "report.json").write_text(json.dumps({"done": done, "failed": [], "skipped": []}))
    with pytest.raises(MGCError, match="etc"):
        write_report(folder, tmp_path / "b.html")


def test_nothing_to_report_on(tmp_path):
    with pytest.raises(MGCError, match="nothing to report on"):
        write_report(tmp_path, tmp_path / "a.html")
    with pytest.raises(MGCError, match="no such file or folder"):
        write_report(tmp_path / "b", tmp_path / "a.html")
    with pytest.raises(MGCError, match="`output` must end in .html"):
        write_report(tmp_path, tmp_path / "a.txt")
