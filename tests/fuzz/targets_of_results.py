"""What is fuzzed of results and settings: sweeps, pages of runs and scores, comparisons, configs laid over others."""

import functools
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from target import Target, text

# -- sweeps -------------------------------------------------------------------------------------------------------

SWEEP = """\
name: tiny
project: mgc
method: bayes
metric: {name: val/posed, goal: minimize}
program: lightning
command: ["${program}", fit, --config, quickstart, "${args}"]
early_terminate: {type: hyperband, min_iter: 2, eta: 3}
run_cap: 4
parameters:
  model.optimizer.init_args.lr: {distribution: log_uniform_values, min: 1.0e-5, max: 0.01}
  model.image_size: {values: [32, 64]}
  model.backbone:
    parameters:
      init_args:
        parameters:
          depth: {values: [18, 50], probabilities: [0.4, 0.6]}
          width: {distribution: q_uniform, min: 4, max: 16, q: 4}
  seed_everything: {value: 3}
"""


def sweep(file):
    """Draw a trial of a sweep, as far as its process."""
    from mgc_lightning.sweeps.file import read_sweep, trial_command
    from mgc_lightning.sweeps.study import SweepStudy

    found = read_sweep(file)
    with tempfile.TemporaryDirectory() as folder:
        study = SweepStudy(found, Path(folder))
        try:
            _, values = study.draw()
            return trial_command(found, values)[3:]
        finally:
            study.close()


def make_sweep_storage(folder):
    from mgc_lightning.sweeps.file import read_sweep
    from mgc_lightning.sweeps.study import SweepStudy

    (folder / "s.yaml").write_text(SWEEP)
    make_trial_config(folder)
    study = SweepStudy(read_sweep(folder / "s.yaml"), folder)
    for score in (2.0, 1.0):
        trial, _ = study.draw()
        trial.set_user_attr("ended", 1)
        trial.set_user_attr("folder", str(folder))
        trial.report(score, 1)
        study.end(trial.number, 0)
    study.close()
    (folder / "trials/0000").mkdir(parents=True)
    return folder / "sweep.db"


def sweep_storage(file):
    """Open the storage of a sweep that is done, and look at what there is."""
    from mgc_lightning.sweeps.run import run_sweep

    result = run_sweep(file.parent / "s.yaml", file.parent, trials=2, say=lambda line: None)
    return [(trial.state, trial.score) for trial in result.trials]


def make_trial_config(folder):
    (folder / "config.yaml").write_text(f"model: {{init: null}}\ntrainer: {{default_root_dir: {folder}}}\n")
    return folder / "config.yaml"


def best_config(file):
    from mgc_lightning.sweeps.file import read_sweep
    from mgc_lightning.sweeps.results import TrialResult, write_best

    trial = TrialResult(0, "complete", {}, 1.0, 1, 1.0, file.parent, file.parent)
    with tempfile.TemporaryDirectory() as folder:
        return write_best(Path(folder) / "best.yaml", read_sweep("sweeps/quickstart"), trial).read_text()[60:]


# -- pages --------------------------------------------------------------------------------------------------------

METRICS = "epoch,step,train/loss,val/loss,val/nme,val/nme_mean_face\n" + "".join(
    f"0,{step},{2 / step},{3 / step},{9 / step},5.0\n" for step in range(1, 20)
)


def make_run(folder):
    """Write a run of a training as CSVLogger does, with pictures and a mesh."""
    from mgc_lightning import write_mesh

    (folder / "run/checkpoints").mkdir(parents=True)
    (folder / "run/metrics.csv").write_text(METRICS)
    (folder / "run/config.yaml").write_text("model: {focal: 4700}\n")
    Image.new("RGB", (30, 20), (200, 30, 30)).save(folder / "run/contact_sheet.png")
    write_mesh(folder / "run/best.glb", np.eye(3) * 50, [[0, 1, 2]], np.eye(3))
    return folder / "run"


def page(source):
    """Write a page of whatever lies there."""
    from mgc_lightning.report.write import write_report

    with tempfile.TemporaryDirectory() as folder:
        write_report(source, Path(folder) / "page.html", faces=0)
    return None


def page_beside(file):
    return page(file.parent)


def make_wandb(folder):
    from wandb.proto import wandb_internal_pb2 as messages
    from wandb_records import write_wandb

    records = [messages.Record() for _ in range(30)]
    records[0].run.run_id = records[0].run.display_name = "abc"
    records[0].run.start_time.seconds = 1_700_000_000
    records[1].environment.program = "/usr/bin/lightning"
    records[1].environment.args.extend(["fit", "--config", "quickstart"])
    for step, record in enumerate(records[2:]):
        for key, value in {"trainer/global_step": step, "train/loss": 1 / (step + 1), "_runtime": 1.5 * step}.items():
            item = record.history.item.add()
            item.nested_key.append(key)
            item.value_json = json.dumps(value)
    item = records[-1].history.item.add()
    item.key, item.value_json = "val/faces/filenames", json.dumps(["media/1.png"])
    write_wandb(folder / "run-abc.wandb", records)
    return folder / "run-abc.wandb"


SCORES = {
    "now": {
        "median": 1.1, "mean": 1.3, "std": 1.0, "predictions": 2, "distances": 20, "missing": ["anna/selfie/2"],
        "images": [{"name": f"anna/selfie/{n}", "median": 1, "mean": 1.2, "std": 1.0, "distances": 3} for n in (0, 1)],
    },
    "realy": {
        "regions": {name: {"mean": 1.0} for name in ("nose", "mouth", "forehead", "cheek")}, "all": 1.0,
        "predictions": 2, "missing": [],
        "images": [{"name": str(n), "nose": 1.0, "mouth": 1.1, "forehead": 1.2, "cheek": 1.3} for n in (1, 2)],
    },
    "scan": {
        "summary": [{"section": "one", "row": "network", "values": {"median": 1.0, "mean": 1.1}, "faces": 3}],
        "heads": [{"name": "anna"}],
    },
    "compare": {
        "headline": "median", "benchmark": "now", "interval": "95 %", "images": 2, "people": 1, "reference": "mine",
        "methods": [
            {"name": name, "scores": {"median": {"value": 1.0, "low": 0.9, "high": 1.1}}, "difference": difference,
             "better_on": share, "verdict": "better"}
            for name, difference, share in (("mine", None, None), ("his", {"value": 0.1, "low": 0, "high": 0.2}, 0.5))
        ],
    },
}  # fmt: skip


def make_scores(kind):
    return text(f"{kind}.json", json.dumps(SCORES[kind]))


def make_curve(folder):
    make_scores("now")(folder)
    (folder / "now").mkdir()
    rows = "".join(f"{0.1 * n},{5 * n}\n" for n in range(20))
    (folder / "now/cumulative_error.csv").write_text("distance_mm,percent\n" + rows)
    return folder / "now/cumulative_error.csv"


def page_of_curve(file):
    return page(file.parents[1])


def make_faces(folder):
    """Write what `mgc reconstruct` does of two photographs, as far as a page shows it."""
    from mgc_lightning import write_mesh

    done = []
    for name in ("a", "b"):
        (folder / "faces" / name).mkdir(parents=True)
        Image.new("RGB", (30, 20), (200, 30, 30)).save(folder / "faces" / name / "overlay.png")
        write_mesh(folder / "faces" / name / "face.ply", np.eye(3) * 50, [[0, 1, 2]], np.eye(3))
        done.append({"input": f"{name}.jpg", "folder": name, "refined": True, "mesh": False})
    report = {"done": done, "failed": [{"input": "c.jpg", "reason": "no face"}], "skipped": []}
    (folder / "faces/report.json").write_text(json.dumps(report))
    return folder / "faces"


# -- comparisons --------------------------------------------------------------------------------------------------


def make_compared(victim):
    def make(folder):
        make_scores("now")(folder)
        (folder / "now").mkdir()
        distances = [np.linspace(0.1, 2, 3) + n for n in (0, 1)]
        np.save(folder / "now/now_computed_distances.npy", {"computed_distances": distances}, allow_pickle=True)
        for suffix in ("", "/now_computed_distances.npy"):
            source = folder / (f"now{suffix}" if suffix else "now.json")
            target = folder / (f"his{suffix.replace('now_', 'his_')}" if suffix else "his.json")
            target.parent.mkdir(exist_ok=True)
            shutil.copy(source, target)
        return folder / victim

    return make


def compared(file):
    from mgc_lightning.evaluation.compare import compare_methods
    from mgc_lightning.evaluation.compare.tables import comparison_json

    root = file.parent if file.suffix == ".json" else file.parents[1]
    return comparison_json(compare_methods([root / "now.json", root / "his.json"]))


# -- journals, configs --------------------------------------------------------------------------------------------


def make_journal(folder):
    journal = _journal(folder / "finished.jsonl")
    from mgc_lightning.metrics.realy.scores import ScoredPrediction

    for name in ("1", "2"):
        journal.add(ScoredPrediction(name, np.arange(4.0)), key="key")
    return folder / "finished.jsonl"


def _journal(path):
    from mgc_lightning.evaluation.journal import Journal
    from mgc_lightning.evaluation.realy import benchmark

    decode = functools.partial(benchmark._decode, error_maps=path.parent)
    return Journal(path, benchmark._encode, decode)


def journal(file):
    return {name: each.errors for name, each in _journal(file).read(lambda name: "key").items()}


OVERLAY = "model:\n  focal: 1015.0\n  objective:\n    weights: {pixel: 0.5}\ntrainer: {max_steps: 7}\n"


def shown(file):
    """Resolve a config that is laid over another, as `mgc config show` does."""
    from mgc_lightning.training.resolve import resolve

    return resolve(["quickstart", str(file)])


def make_card(folder):
    from tiny_networks import make_network

    from mgc_lightning.networks.files import save_network

    save_network(make_network(), folder / "network.safetensors")
    (folder / "card.json").write_text(json.dumps({"sha256": {"network.onnx": "0" * 64}, "licence": "CC0"}))
    return folder / "card.json"


def beside_card(file):
    from mgc_lightning.networks.files import load_network

    return dict(load_network(file.parent / "network.safetensors").state_dict())


RESULTS = {
    "sweep": Target(text("s.yaml", SWEEP), sweep, needs="optuna"),
    "sweep-storage": Target(make_sweep_storage, sweep_storage, needs="optuna"),
    "sweep-trial": Target(make_trial_config, best_config),
    "page-run": Target(make_run, page),
    "page-wandb": Target(make_wandb, page_beside),
    **{f"page-{kind}": Target(make_scores(kind), page) for kind in SCORES},
    "page-curve": Target(make_curve, page_of_curve),
    "page-faces": Target(make_faces, page),
    "compare-json": Target(make_compared("now.json"), compared),
    "compare-distances": Target(make_compared("now/now_computed_distances.npy"), compared),
    "journal": Target(make_journal, journal),
    "config-overlay": Target(text("c.yaml", OVERLAY), shown),
    "network-card": Target(make_card, beside_card),
}
