"""Modules that a user names, the working folder, and folders that hide ours: as a user meets them, in processes."""

import os
import subprocess
import sys

import pytest

from mgc_lightning.doctor.check import State
from mgc_lightning.doctor.program import check_program
from mgc_lightning.errors import MGCError
from mgc_lightning.own_code import add_working_folder, explain_missing, hidden_packages, import_modules

CONSOLE_SCRIPT = "from mgc_lightning.cli import main\nmain()\n"
"""What pip writes: the script's folder is on the path, the working folder is not."""


@pytest.fixture
def project(tmp_path):
    """Give an empty folder, and a function that runs `mgc` or `python -m` in it."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "mgc").write_text(CONSOLE_SCRIPT)
    folder = tmp_path / "project"
    folder.mkdir()

    def run(*arguments, module=False):
        program = ["-m", "mgc_lightning.cli"] if module else [str(tmp_path / "bin" / "mgc")]
        return subprocess.run(
            [sys.executable, "-W", "ignore", *program, *arguments],
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=300,
        )

    return folder, run


def hide(folder, name, as_file):
    place = folder / f"{name}.py" if as_file else folder / name / "__init__.py"
    place.parent.mkdir(exist_ok=True)
    place.write_text("mine = 1\n")
    return place


@pytest.mark.parametrize(("name", "as_file"), [("callbacks", False), ("datamodules", True)])
def test_a_folder_that_hides_ours_is_named(project, name, as_file):
    folder, run = project
    place = hide(folder, name, as_file)
    done = run("fit", "--config", "quickstart", "--print_config", module=True)
    assert done.returncode == 2
    assert f"`{name}` is {place} here, which hides ours" in done.stderr


def test_the_doctor_shows_it(project, monkeypatch):
    folder, run = project
    place = hide(folder, "callbacks", False)
    done = run("doctor", module=True)
    assert done.returncode == 1
    assert f"is {place} here, which hides ours" in done.stdout
    assert "rename yours" in done.stdout
    # Where ours comes first, theirs is hidden, which breaks nothing of ours.
    monkeypatch.chdir(folder)
    found = {check.name: check for check in check_program()}
    assert found["`callbacks`"].state is State.ABSENT
    assert f"which hides {place}" in found["`callbacks`"].detail
    assert found["`datamodules`"].state is State.GOOD


def test_a_class_of_a_folder_that_ours_hides_is_explained(project):
    """The console scripts find ours, since the working folder comes last there."""
    folder, run = project
    place = hide(folder, "callbacks", False)
    done = run("fit", "--config", "quickstart", "--trainer.callbacks", "callbacks.Mine", "--print_config")
    assert done.returncode == 2
    assert f"which hides {place}" in done.stderr


@pytest.mark.parametrize("name", ["callbacks", "datamodules", "mgc_lightning"])
def test_a_folder_without_init_is_found_too(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()
    assert hidden_packages() == []
    (tmp_path / name / "mine.py").write_text("class Mine: pass\n")
    found = hidden_packages()
    assert [(package.name, package.hidden, package.ours) for package in found] == [(name, tmp_path / name, False)]
    assert f"hides {tmp_path / name}" in explain_missing(f"module `{name}` has no `mine`, {name}.mine.Mine")


def test_named_modules(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", str(tmp_path))])
    (tmp_path / "module_of_a_user.py").write_text("value = 3\n")
    (tmp_path / "module_that_fails.py").write_text("1 / 0\n")
    (tmp_path / "module_that_needs.py").write_text("import nothing_that_exists\n")
    with pytest.raises(MGCError, match="There is no module `module_of_a_user`: looked in"):
        import_modules(["module_of_a_user"])
    add_working_folder()
    add_working_folder()
    assert sys.path[-1] == str(tmp_path)
    assert sys.path.count(str(tmp_path)) == 1
    assert import_modules("module_of_a_user")[0].value == 3
    with pytest.raises(MGCError, match="`module_that_fails` could not be imported .ZeroDivisionError"):
        import_modules(["module_that_fails"])
    with pytest.raises(MGCError, match="`module_that_needs` needs `nothing_that_exists`"):
        import_modules(["module_that_needs"])
    for file in ("./my_nets.py", "my_nets.py"):
        with pytest.raises(MGCError, match=f"such as `my_nets`, got '{file}'"):
            import_modules([file])
    for name in ("module_of_a_user", "module_that_fails", "module_that_needs"):
        sys.modules.pop(name, None)
