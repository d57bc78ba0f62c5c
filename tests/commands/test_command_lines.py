"""Every command: its line of the list, its help, its choices; what asking for help costs; wrong words."""

import dataclasses
import inspect
import os
import signal
import subprocess
import sys
import time
import typing
from pathlib import Path

import docstring_parser
import pytest
from photo_sets import write_photos

from mgc_lightning import cli
from mgc_lightning.arguments.parser import CommandParser
from mgc_lightning.cli import CLOSED_PIPE, COMMANDS, Command, load, main


def walk(entries, *words):
    for name, entry in entries.items():
        if isinstance(entry, Command):
            yield (*words, name), entry
        else:
            yield from walk(entry.commands, *words, name)


ALL = dict(walk(COMMANDS))
every_command = pytest.mark.parametrize("words", ALL, ids=" ".join)


def run(*arguments):
    with pytest.raises(SystemExit) as status:
        main([str(argument) for argument in arguments])
    return status.value.code


def literals(hint):
    """Find the choices in a type, or in the fields of a dataclass."""
    if dataclasses.is_dataclass(hint):
        for inner in typing.get_type_hints(hint, include_extras=True).values():
            yield from literals(inner)
    elif typing.get_origin(hint) is typing.Literal:
        yield typing.get_args(hint)
    else:
        for inner in typing.get_args(hint):
            yield from literals(inner)


@every_command
def test_the_list_says_the_first_line_of_the_function(words):
    summary = docstring_parser.parse(inspect.getdoc(load(ALL[words]))).short_description
    assert ALL[words].help == summary[0].lower() + summary[1:].removesuffix(".")


@every_command
def test_help_has_every_argument_choice_and_default(words, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    assert run(*words, "--help") == 0
    text = " ".join(capsys.readouterr().out.split())
    function = load(ALL[words])
    for name, hint in typing.get_type_hints(function, include_extras=True).items():
        for choices in literals(hint) if name != "return" else ():
            assert "{" + ",".join(map(str, choices)) + "}" in text or ", ".join(map(str, choices)) in text
    for option in CommandParser(function, "mgc").known.values():
        assert option.shown in text
        assert option.text
        assert option.help in text
        if isinstance(option.default, str | float | int) and not isinstance(option.default, bool):
            assert option.help.endswith(f"(default: {option.default})")


def test_help_costs_no_torch_and_the_lists_not_even_a_parser():
    lines = [[*words, "--help"] for words in ALL]
    program = f"""
import contextlib, io, sys
from mgc_lightning.cli import main
def run(*words):
    with contextlib.redirect_stdout(io.StringIO()) as text, contextlib.suppress(SystemExit):
        main(words)
    assert text.getvalue(), words
for words in (["--version"], ["--help"], ["benchmark", "--help"]):
    run(*words)
assert not {{"jsonargparse", "dataclasses", "typing_extensions", "yaml"}} & set(sys.modules)
for words in {lines}:
    run(*words)
    assert not {{"torch", "numpy", "lightning", "scipy"}} & set(sys.modules), words
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("reconstrukt", "Did you mean `{} reconstruct`?"),
        ("fitt", "Did you mean `{} fit`?"),
        (
            "benchmark naw",
            "No command `{} benchmark naw`; there are now, realy, scan, compare, submit. "
            "Did you mean `{} benchmark now`?",
        ),
        (
            "prepare in --output out --detector mediapie",
            "--detector must be one of face-alignment, mediapipe; got 'mediapie'. Did you mean 'mediapipe'?",
        ),
        ("prepare in --output out --min-shapness 2", "Did you mean `--min-sharpness` instead of `--min-shapness`?"),
        ("prepare in --output out --min-step 50", "Expected 0 <= --min-step < --max-step"),
        ("reconstruct a.jpg --output o --checkpoint c --box 1 2 3", "--box: expected 4 arguments"),
        ("reconstruct a.jpg --output o --checkpoint c --one-moment", "--one-moment belongs to --same-person"),
        ("reconstruct", "Missing: INPUT"),
        ("reconstruct a.jpg --detector auot", "--detector must be one of auto, face-alignment, mediapipe; got 'auot'"),
        ("import-official --checkpoint c --output o", "--output must end in .safetensors; got o"),
        ("synthesize realy --output o --level 2", "--level must be one of 0, 1; got '2'"),
        ("synthesize now --output o --subjects 0", "--subjects must be a whole number of at least 1; got 0"),
        ("face-model import smpl --source s", "MODEL must be one of bfm09, bfm09-deep3d"),
    ],
)
def test_wrong_lines_end_with_one_message(line, message, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["mgc"])
    assert run(*line.split()) == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: ")
    assert message.replace("{}", "mgc") in said.err
    assert not said.out


def test_landmarks_and_a_box_exclude_each_other(capsys):
    line = "reconstruct a.jpg --output o --checkpoint c --landmarks p.txt --box 1 2 3 4"
    assert run(*line.split()) == 2
    assert "Give either --landmarks or --box, not both" in capsys.readouterr().err


def test_no_command_shows_the_list(capsys):
    assert run() == 2
    assert "reconstruct" in capsys.readouterr().err
    assert run("benchmark", "submit", "--help") == 0
    assert "the NoW organisers take" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("arguments", ["--version", "--help", "models", "reconstruct --help"])
def test_a_reader_that_leaves_is_no_error(arguments):
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "mgc_lightning.cli", *arguments.split()]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert done.stderr == ""
    # argparse itself passes over what its help could not write.
    assert done.returncode == (0 if "--help" in arguments else CLOSED_PIPE)


def test_ctrl_c_is_one_word_and_status_130(monkeypatch, capsys) -> None:
    def interrupted(command):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "load", interrupted)
    with pytest.raises(SystemExit) as end:
        main(["models"])
    assert end.value.code == 130
    assert capsys.readouterr().err == "Stopped.\n"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for processes in /proc")
def test_ctrl_c_ends_the_workers_of_a_preparation(tmp_path) -> None:
    write_photos(tmp_path / "in", 60, tmp_path / "points")
    output = tmp_path / "set"
    line = [sys.executable, "-m", "mgc_lightning.cli", "prepare", str(tmp_path / "in"), "--landmarks",
            str(tmp_path / "points"), "--size", "64", "--jobs", "2", "--output", str(output)]  # fmt: skip
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(line, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
    while process.poll() is None and not list(output.glob(".work/.0*.bin")):
        time.sleep(0.05)
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    assert process.wait(60) == 130
    printed = (tmp_path / "log").read_text()
    assert "Traceback" not in printed
    assert "Stopped." in printed
    assert workers
    deadline = time.monotonic() + 30  # one that has just begun to import ends a second later
    while time.monotonic() < deadline and any(Path(f"/proc/{worker}").exists() for worker in workers):
        time.sleep(0.1)
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)
    assert not (tmp_path / ".set.lock").exists()
