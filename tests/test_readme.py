"""What README and docs/ say is so: their examples run from an installed wheel, and `mypy --strict` is content."""

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pages import PAGES, ROOT, Block, blocks, commands
from PIL import Image

from mgc_lightning import load_face_model, make_triplets
from mgc_lightning.files.places import configs_folder

RUNNER = ROOT / "tests" / "helpers" / "page_runner.py"
LIGHTNING = ("fit", "validate", "test", "predict")
CONFIG_KEYS = {"seed_everything", "model", "data", "trainer", "ckpt_path"}
# What an example trains on is too much for a test; nothing else of it is changed.
SHORTER = [(r"max_steps=\d+", "max_steps=2"), (r"SyntheticTriplets\((?!.*val_size)", "SyntheticTriplets(val_size=2, ")]

python_pages = pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name
)
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
# One worker: the wheel and the files are made once.


def run(command: list[object], folder: Path, python: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment |= {"OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", "WANDB_MODE": "offline"}
    program = [python] if python else []
    # -P: as for a console program, the folder of the script is not on the path.
    return subprocess.run(
        [*map(str, [*program, *command])], cwd=folder, env=environment, capture_output=True, text=True, timeout=550
    )


def checked(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an interpreter that has the wheel, and the dependencies of this one."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    # Without isolation: hatchling is among the packages of `dev`, and no test reaches the network.
    checked(run([*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT], folder))
    checked(run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], folder))
    python = folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(checked(run(["-c", where], folder, python)).strip())
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    checked(run([*pip, "--python", python, "install", "--no-deps", "--no-index", *folder.glob("*.whl")], folder))
    for package in ("mgc_lightning", "datamodules", "callbacks"):
        found = checked(run(["-c", f"import {package}; print({package}.__file__)"], folder, python))
        assert Path(found.strip()).is_relative_to(site)
    return python


@pytest.fixture(scope="session")
def files(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with what the examples read: a training's run, photographs, lists of points."""
    folder = tmp_path_factory.mktemp("files")
    small = ["--trainer.max_steps=2", "--trainer.val_check_interval=2", "--data.init_args.val_size=2"]
    checked(run([python.with_name("lightning"), "fit", "--config", "quickstart", *small], folder))
    (made,) = (folder / "runs" / "quickstart").glob("*/checkpoints")
    made.parent.rename(made.parents[1] / "ID")
    checkpoints = folder / "runs" / "quickstart" / "ID" / "checkpoints"
    (checkpoints / "step=2.ckpt").rename(checkpoints / "step=2800.ckpt")
    # A checkout may be without the weights of the package: examples then run with those of this training.
    pack = "shipped_networks() or pack_network(load_network('runs/quickstart/ID/export'), FOLDER / DEFAULT)"
    names = "load_network, pack_network, shipped_networks"
    where = "from mgc_lightning.networks.shipped import DEFAULT, FOLDER"
    checked(run(["-c", f"from mgc_lightning.networks import {names}\n{where}\n{pack}"], folder, python))
    batch = make_triplets(load_face_model(), 1, image_size=224)
    np.save(folder / "landmarks.npy", batch.landmarks[0, 0].numpy())
    np.savetxt(folder / "points.txt", batch.landmarks[0, 0].numpy())
    (folder / "anna").mkdir()
    for view, name in enumerate(["photo.jpg", "anna/1.jpg", "anna/2.jpg"]):
        pixels = (batch.images[0, view].permute(1, 2, 0) * 255).byte().numpy()
        Image.fromarray(pixels).save(folder / name)
    shutil.copy(folder / "photo.jpg", folder / "party.jpg")
    return folder


@pytest.fixture
def folder(page: Path, tmp_path: Path) -> Path:
    """Give a folder with the examples of a page, modules and configs by the names that it gives them."""
    return write_blocks(page, tmp_path)


def write_blocks(page: Path, folder: Path) -> Path:
    for block in [*blocks(page, "python"), *blocks(page, "yaml")]:
        (folder / block.file).write_text(block.code)
    return folder


@python_pages
def test_python_examples_are_typed(page: Path, folder: Path, python: Path) -> None:
    names = [block.file for block in blocks(page, "python")]
    options = ["--strict", "--python-executable", python, "--cache-dir", ROOT / ".mypy_cache" / "pages"]
    checked(run(["-m", "mypy", "--config-file", os.devnull, *options, *names], folder, Path(sys.executable)))


@pytest.mark.parametrize(
    "block", [block for page in PAGES for block in blocks(page, "python")], ids=lambda block: block.place
)
def test_python_examples_run(block: Block, folder: Path, files: Path, python: Path) -> None:
    shutil.copytree(files, folder, dirs_exist_ok=True)
    short = block.code
    for pattern, replacement in SHORTER:
        short = re.sub(pattern, replacement, short)
    (folder / block.file).write_text(short)
    output = checked(run(["-P", RUNNER, block.file], folder, python))
    if "SummaryTable" in block.code:
        assert "mean face" in output
    for written in re.findall(r'write_\w+\("([^"]+)"', block.code):
        assert (folder / written).is_file()


@pytest.fixture
def page(request: pytest.FixtureRequest) -> Path:
    return request.getfixturevalue("block").page


Call = tuple[str, list[str], list[str]]
"""Where a command stands, its arguments, and the flags that its help has to know."""


def calls_of(page: Path, folder: Path) -> list[Call]:
    """Turn the configs and commands of a page into calls that cost nothing: they print a config, or their help."""
    calls: list[Call] = []
    for block in blocks(page, "yaml"):
        given = yaml.safe_load(block.code)
        if not given.keys() <= CONFIG_KEYS:
            continue
        base = [] if {"model", "data", "trainer"} <= given.keys() else ["--config", "quickstart"]
        calls.append((block.place, ["fit", *base, "--config", block.file, "--print_config"], []))
    for words in commands(page):
        if words[0] not in ("mgc", "lightning") or "..." in words:
            continue
        arguments = words[1:]
        if arguments[0] in LIGHTNING and len(arguments) > 1 and arguments[1].startswith("-"):
            for name in arguments:
                if re.fullmatch(r"\w+\.yaml", name) and not (folder / name).exists():
                    (folder / name).write_text("{}\n")
            calls.append((" ".join(words), [*arguments, "--print_config"], []))
        else:
            command = itertools.takewhile(lambda word: not word.startswith("-"), arguments)
            flags = [word.split("=")[0] for word in arguments if word.startswith("--")]
            calls.append((" ".join(words), [*command, "--help"], flags))
    return calls


@pytest.fixture(scope="session")
def called(python: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Path, list[tuple[Call, dict[str, Any]]]]:
    """Give the calls of every page with what came of them."""
    folders = {page: write_blocks(page, tmp_path_factory.mktemp("page")) for page in PAGES}
    calls = {page: calls_of(page, folder) for page, folder in folders.items()}
    file = tmp_path_factory.mktemp("calls") / "calls.json"
    file.write_text(json.dumps({str(folders[page]): [words for _, words, _ in calls[page]] for page in PAGES}))
    outcomes = json.loads(checked(run(["-P", RUNNER, file], file.parent, python)).splitlines()[-1])
    return {page: list(zip(calls[page], outcomes[str(folders[page])], strict=True)) for page in PAGES}


@every_page
def test_commands_and_configs_are_accepted(page: Path, called: dict[Path, list[tuple[Call, dict[str, Any]]]]) -> None:
    problems = []
    for (place, _, flags), outcome in called[page]:
        if outcome["code"] != 0:
            problems.append(f"{place}: {outcome['err']}")
        problems += [f"{place}: no {flag}" for flag in flags if not re.search(rf"{flag}\b", outcome["out"])]
    assert not problems, "\n".join(problems)


@every_page
def test_scripts_extras_and_files_exist(page: Path) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for words in commands(page):
        if words[0] == "python" and words[1].endswith(".py"):
            script = (ROOT / words[1]).read_text()
            for flag in (word.split("=")[0] for word in words[2:] if word.startswith("--")):
                assert f'"{flag}"' in script, " ".join(words)
        if words[:2] == ["conda", "env"]:
            assert (ROOT / words[words.index("-f") + 1]).is_file()
    text = page.read_text()
    for extra in re.findall(r"pip install [^`\n]*\[([\w-]+)\]", text):
        assert extra in extras
    for name in re.findall(r"`((?:configs|benchmarks|mgc_lightning|tools)/[\w/.]+)`", text):
        place = configs_folder() / name.removeprefix("configs/") if name.startswith("configs/") else ROOT / name
        assert place.exists(), name
    for name in re.findall(r"\]\((?!http|mailto)([^)#]+)\)", text):
        assert (page.parent / name).exists(), name
    assert "@@" not in text


def test_the_example_of_a_training_is_short() -> None:
    lengths = [len(block.code.splitlines()) for page in PAGES for block in blocks(page, "python")]
    assert max(lengths) <= 40
