"""A shell completes commands, flags, choices and configs; a wrong flag shows how the command is used; -q and -v."""

import logging
import shutil
import subprocess

import pytest

from mgc_lightning.arguments.parser import CommandParser
from mgc_lightning.arguments.verbosity import is_quiet, set_level
from mgc_lightning.cli import main

pytest.importorskip("shtab")
WORDS = {
    "mgc f": {"fit", "face-model", "fit-scan"},
    "mgc benchmark submit ": {"now", "realy"},
    "mgc fit --config quick": {"quickstart"},
    "mgc fit --config trainers/bf": {"trainers/bf16"},
    "mgc fit --trainer.max_st": {"--trainer.max_steps"},
    "lightning fit --data Synth": {"SyntheticTriplets"},
    "mgc fit --model.rasterizer n": {"numba"},
    "mgc reconstruct --detector f": {"face-alignment"},
    "mgc config show mgcn": {"mgcnet"},
}


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes(tmp_path, capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["completion", "bash"])
    assert not stop.value.code
    script = tmp_path / "mgc.bash"
    script.write_text(capsys.readouterr().out)
    function = 'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _shtab_mgc; echo ${COMPREPLY[*]}'
    ask = f"source {script}; ask() {{ {function}; }}\n"
    lines = [" ".join(f"'{word}'" for word in typed.split(" ")) for typed in WORDS]
    program = ask + "\n".join(f"ask {line}" for line in lines)
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    answers = done.stdout.splitlines()
    assert {typed: set(answer.split()) for typed, answer in zip(WORDS, answers, strict=True)} == WORDS
    assert "complete -o filenames -F _shtab_mgc lightning" in script.read_text()


@pytest.mark.parametrize(
    ("arguments", "usage"),
    [
        (["reconstruct", "photo.jpg", "--no-such"], "reconstruct [-h] [--output DIR]"),
        (["fit", "--config", "quickstart", "--no-such=3"], "usage: lightning fit --config NAME|FILE"),
    ],
)
def test_a_wrong_flag_shows_how_the_command_is_used(arguments, usage, capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    error, _, shown = capsys.readouterr().err.partition("\nusage")
    assert "--no-such" in error
    assert usage in "usage" + shown


def test_commands_are_quiet_or_verbose() -> None:
    seen = []

    def work(name: str) -> int:
        """Work.

        Args:
            name: of it.
        """
        seen.append((is_quiet(), logging.getLogger("mgc_lightning.x").isEnabledFor(logging.DEBUG)))
        return 0

    try:
        for flags in ([], ["-q"], ["--verbose"]):
            assert CommandParser(work, "mgc work").run(["x", *flags]) == 0
    finally:
        set_level(0)
    assert seen == [(False, False), (True, False), (False, True)]
