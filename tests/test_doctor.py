"""The doctor finds what is there, names the remedy for what is not, and never faints."""

import json
import sys

import pytest
from packaging.requirements import Requirement

from mgc_lightning.cli import main
from mgc_lightning.doctor import examination, machine, packages, program
from mgc_lightning.doctor.check import Check, State, is_healthy, report_lines
from mgc_lightning.doctor.examination import examine
from mgc_lightning.files.places import cache_folder
from mgc_lightning.rendering import rasterizers


def by_name(checks):
    return {check.name: check for check in checks}


def test_a_working_installation_is_healthy(capsys):
    with pytest.raises(SystemExit) as status:
        main(["doctor"])
    printed = capsys.readouterr().out
    assert status.value.code == 0, printed
    for word in ("torch", "makehuman", "numba", "CPU", "Everything required works."):
        assert word in printed


def test_json(capsys):
    with pytest.raises(SystemExit):
        main(["doctor", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert {"Program", "Packages", "Devices", "Rasterizers", "Face models"} < set(found)
    assert found["Program"][0]["state"] == "good"


def test_missing_and_old_packages_are_broken_with_a_remedy(monkeypatch):
    wanted = [Requirement("torch>=999"), Requirement("no-such-package>=1"), Requirement("numpy")]
    monkeypatch.setattr(packages, "requirements", lambda: (wanted, {"extra": [Requirement("nothing-here")]}))
    checks = by_name(packages.check_packages())
    assert checks["torch"].state is State.BROKEN
    assert "needed is >=999" in checks["torch"].detail
    assert checks["no-such-package"].remedy == "pip install 'no-such-package>=1'"
    assert checks["numpy"].state is State.GOOD
    extra = by_name(packages.check_extras())["extra"]
    assert extra.state is State.ABSENT
    assert extra.remedy == "pip install 'mgc-lightning[extra]'"


def test_malicious_lightning_releases_are_refused():
    always, extras = packages.requirements()
    lightning = next(r for r in always if r.name == "lightning")
    assert not lightning.specifier.contains("2.6.2")
    assert "timm" in extras


@pytest.mark.parametrize(
    ("environment", "state", "word"),
    [
        ({"WANDB_MODE": "offline"}, State.GOOD, "offline"),
        ({"WANDB_API_KEY": "secret-key"}, State.GOOD, "online"),
        ({}, State.ABSENT, "no key"),
    ],
)
def test_wandb(monkeypatch, tmp_path, environment, state, word):
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    (check,) = examination.check_wandb()
    assert check.state is state
    assert word in check.detail
    assert "secret" not in repr(check)


def test_wandb_key_in_netrc(monkeypatch, tmp_path):
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password secret-key\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (check,) = examination.check_wandb()
    assert check.state is State.GOOD


def test_broken_face_model_in_the_cache(monkeypatch):
    folder = cache_folder() / "face_models"
    folder.mkdir(parents=True)
    (folder / "mine.safetensors").write_bytes(b"not a face model")
    checks = by_name(machine.check_face_models())
    assert checks["makehuman"].state is State.GOOD
    assert checks["mine"].state is State.BROKEN
    assert "convert it again" in checks["mine"].remedy


def test_no_rasterizer_is_broken(monkeypatch):
    monkeypatch.setattr(rasterizers, "available_rasterizers", lambda device: {"numba": "does not import"})
    assert by_name(machine.check_rasterizers())["on cpu"].state is State.BROKEN


def test_a_torchvision_that_does_not_fit(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    check = packages._check_torchvision()
    assert check.state is State.BROKEN
    assert "uninstall" in check.remedy


def test_another_lightning_on_the_path(monkeypatch, tmp_path):
    (tmp_path / "lightning").write_text("#!/bin/sh\n")
    monkeypatch.setattr(program.shutil, "which", lambda name: str(tmp_path / name))
    check = program._check_console_script()
    assert check.state is State.ABSENT
    assert "use `mgc`" in check.remedy


def test_a_check_that_raises_is_a_finding(monkeypatch):
    def faint():
        raise RuntimeError("dizzy")

    monkeypatch.setattr(examination, "check_devices", faint)
    sections = examine()
    assert not is_healthy(sections)
    assert "dizzy" in sections["Devices"][0].detail


def test_lines_for_terminals_without_unicode():
    sections = {"A": [Check("x", State.BROKEN, "gone", "bring it"), Check("y", State.ABSENT, "none")]}
    lines = report_lines(sections, unicode=False)
    assert "\n".join(lines).isascii()
    assert any("-> bring it" in line for line in lines)
    assert lines[-1] == "1 required things are broken."
