"""What is declared in several places is the same everywhere: dependencies, Python versions, the version."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

import mgc_lightning

ROOT = Path(__file__).parents[1]
CONDA_NAMES = {"pytorch-gpu": "torch", "face_alignment": "face-alignment", "matplotlib-base": "matplotlib"}
CONDA_ALONE = {"pip", "pytorch3d"}
IMPORT_NAMES = {
    "PIL": "pillow",
    "cv2": "opencv-python",
    "docstring_parser": "docstring-parser",
    "face_alignment": "face-alignment",
    "yaml": "pyyaml",
}
OWN = {"mgc_lightning", "datamodules", "callbacks"}
EXTRA_OR_PLATFORM = {"triton", "pytorch3d", "torchvision"}
"""Imported where they are there: with CUDA builds of torch, from conda-forge, beside timm."""


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def declared(project) -> dict[str, Requirement]:
    return {found.name: found for found in map(Requirement, project["dependencies"])}


def test_environment_yml_agrees_with_pyproject(declared) -> None:
    lines = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    conda = [Requirement(line) for line in lines if isinstance(line, str) and not line.startswith("python=")]
    for found in conda:
        if found.name not in CONDA_ALONE:
            assert found.specifier == declared[CONDA_NAMES.get(found.name, found.name)].specifier, found.name
    assert lines[-1] == {"pip": ["-e ."]}, "pip brings what conda does not"


def test_every_import_is_declared(project, declared) -> None:
    extras = {Requirement(line).name for lines in project["optional-dependencies"].values() for line in lines}
    known = {*declared, *extras, *OWN, *EXTRA_OR_PLATFORM, *sys.stdlib_module_names}
    for package in sorted(OWN):
        for path in sorted((ROOT / package).rglob("*.py")):
            for name in imported(path):
                assert IMPORT_NAMES.get(name, name) in known, f"{path.relative_to(ROOT)} imports {name}"


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


def test_python_versions_agree(project) -> None:
    stated = sorted(
        Version(line.rsplit(" ", 1)[-1])
        for line in project["classifiers"]
        if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", line)
    )
    assert project["requires-python"] == f">={stated[0]}"
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text())
    assert sorted(map(Version, workflow["jobs"]["tests"]["strategy"]["matrix"]["python"])) == stated


def test_versions_agree(project) -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert project["version"] == citation["version"] == mgc_lightning.__version__
    assert f"## [{project['version']}]" in (ROOT / "CHANGELOG.md").read_text()
