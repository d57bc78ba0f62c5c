"""What the README says is so."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mgc_lightning.cli import COMMANDS, TRAINING
from mgc_lightning.files.places import configs_folder

README = Path(__file__).parents[1] / "README.md"


@pytest.fixture(scope="module")
def text() -> str:
    return README.read_text()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def test_the_python_example_runs(text, tmp_path) -> None:
    example = next(block for block in blocks(text, "python") if "trainer.fit" in block)
    assert len(example.splitlines()) <= 30
    short = example.replace("max_steps=200", "max_steps=2").replace(
        "image_size=96, batch_size=4", "image_size=96, batch_size=1, val_size=2"
    )
    assert short != example
    (tmp_path / "example.py").write_text(short + "\nassert landmarks.shape == (1, 68, 2)\n")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "example.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, done.stderr
    assert "mean face" in done.stdout


def test_every_command_exists(text) -> None:
    for line in "\n".join(blocks(text, "bash")).splitlines():
        words = [word for word in line.split("#")[0].split() if word]
        for program in ("mgc", "lightning"):
            if program not in words:
                continue
            node = {**COMMANDS, **TRAINING}
            for word in words[words.index(program) + 1 :]:
                if not isinstance(node, dict):
                    break
                assert word in node, line
                node = node[word]


def test_every_file_that_is_named_exists(text) -> None:
    root = README.parent
    for name in re.findall(r"`((?:configs|benchmarks|mgc_lightning)/[\w/.]+)`", text):
        place = configs_folder() / name.removeprefix("configs/") if name.startswith("configs/") else root / name
        assert place.exists(), name
    for name in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert (root / name).exists(), name


def test_no_placeholder_is_left(text) -> None:
    assert "@@" not in text
