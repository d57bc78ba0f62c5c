"""JSON of ours: whole or not at all, and any name that a file can have is read again as it was."""

import ast
import json
import os
from pathlib import Path

import pytest

from mgc_lightning.files.atomic import NotWrittenError
from mgc_lightning.files.text import read_json, write_json
from mgc_lightning.reconstruction.report import Refused, RunReport

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["josé.jpg", "名.jpg", os.fsdecode(b"jos\xe9.jpg"), 'a"\n\x00b'])
def test_a_name_is_read_as_it_was_written(tmp_path, name):
    path = write_json(tmp_path / "new" / "names.json", {"name": name, "points": [[1.5, -2]]})
    assert read_json(path) == {"name": name, "points": [[1.5, -2]]}
    assert path.read_bytes().endswith(b"}\n")


def test_letters_stay_readable(tmp_path):
    assert "josé" in write_json(tmp_path / "names.json", ["josé"]).read_text(encoding="utf-8")


def test_a_report_of_a_name_that_is_no_text_is_read_by_others(tmp_path):
    report = RunReport(tmp_path)
    report.failed.append(Refused(Path(os.fsdecode(b"photos/\xe9.jpg")), "no face"))
    report.write()
    (refused,) = json.loads(report.path.read_text(encoding="utf-8"))["failed"]
    assert os.fsencode(refused["input"]) == b"photos/\xe9.jpg"


def test_a_file_of_before_stays_where_writing_fails(tmp_path):
    path = write_json(tmp_path / "scores.json", {"median": 1})
    with pytest.raises(TypeError):
        write_json(path, {"median": object()})
    with pytest.raises(NotWrittenError, match=r"scores.json: could not be written"):
        write_json(path / "scores.json", {})
    assert read_json(path) == {"median": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["scores.json"]


def test_there_is_one_writer():
    """A file of JSON that is written past it would have an encoding and an end of its own."""
    found = []
    for file in sorted(
        path for room in ("mgc_lightning", "callbacks", "datamodules") for path in (ROOT / room).rglob("*.py")
    ):
        for call in (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)):
            written = isinstance(call.func, ast.Attribute) and call.func.attr == "write_text"
            if written and any("dumps" in ast.unparse(argument) for argument in call.args):
                found.append(f"{file.relative_to(ROOT)}:{call.lineno}")
    assert found == []
