"""Fixtures for all tests."""

import os
from collections.abc import Iterator
from pathlib import Path

# Before numba or torch is imported: workers, and the programs that they start, must not fight over the cores.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("WANDB_MODE", "offline")
os.environ.setdefault("WANDB_SILENT", "true")

import pytest
import torch


@pytest.fixture(scope="session")
def golden() -> Path:
    """Give the folder of numbers recorded from the official programs."""
    folder = os.environ.get("MGC_GOLDEN")
    if not folder:
        pytest.skip("MGC_GOLDEN is unset: it names the folder of numbers recorded from the official programs")
    return Path(folder)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep tests out of the user's cache."""
    monkeypatch.setenv("MGC_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(autouse=True)
def _environment() -> Iterator[None]:
    """Take back what a test leaves in the environment, for later tests' processes inherit it.

    W&B's service ends with the test that started it: a process that writes through it ends before its run is
    written. Ports of process groups (`MASTER_PORT`) are not used twice.
    """
    before = dict(os.environ)
    yield
    if "WANDB_SERVICE" in os.environ.keys() - before.keys():
        import wandb

        wandb.teardown()
    for name in os.environ.keys() - before.keys():
        if not name.startswith("PYTEST_"):
            os.environ.pop(name)
    for name, value in before.items():
        if not name.startswith("PYTEST_"):
            os.environ[name] = value


@pytest.fixture(scope="session")
def now_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a small synthetic NoW data set of 2 people and 8 photographs. Do not write to it."""
    from mgc_lightning.face_models import load_face_model
    from mgc_lightning.synthetic.now_set import NoWSetSettings, write_now_set
    from mgc_lightning.synthetic.scanner import ScannerSettings

    folder = tmp_path_factory.mktemp("now") / "set"
    settings = NoWSetSettings(subjects=2, images=1, image_size=96, scanner=ScannerSettings(spacing=3.0))
    write_now_set(folder, load_face_model(), settings)
    return folder


@pytest.fixture(scope="session")
def realy_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a small, coarse synthetic REALY data set: 3 subjects, one side view each. Do not write to it."""
    from mgc_lightning.face_models import load_face_model
    from mgc_lightning.synthetic.realy_set import REALYSetSettings, write_realy_set
    from mgc_lightning.synthetic.scanner import ScannerSettings

    folder = tmp_path_factory.mktemp("realy") / "set"
    scanner = ScannerSettings(spacing=3.5, half_angle=80.0, holes=2, waves=0.0)
    write_realy_set(folder, load_face_model(), REALYSetSettings(3, 1, image_size=96, scanner=scanner))
    return folder


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--check-types`."""
    parser.addoption(
        "--check-types",
        action="store_true",
        help="check every annotated type and shape of the packages at every call (jaxtyping and beartype)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Instrument the packages before the first of them is imported."""
    if config.getoption("--check-types"):
        from checked_types import install

        install()
