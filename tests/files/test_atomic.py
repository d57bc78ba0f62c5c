"""What is written is whole or absent, a set of files all or none, and what cannot be written is said."""

import errno
import io
import os
import re
import sys
import tempfile

import pytest

from mgc_lightning.cli import main
from mgc_lightning.errors import MGCError
from mgc_lightning.files.atomic import NotWrittenError, atomic_files, atomic_path, remove_leftovers

FULL = os.strerror(errno.ENOSPC)


def fail(code, *names):
    raise OSError(code, os.strerror(code), *names)


def test_a_full_disk_leaves_the_file_of_before(tmp_path):
    target = tmp_path / "mine.txt"
    target.write_text("before")
    with pytest.raises(NotWrittenError, match=rf"mine\.txt: could not be written \({FULL}\); free some space"):  # noqa: PT012, SIM117
        with atomic_path(target) as temporary:
            temporary.write_text("ha")
            fail(errno.ENOSPC)
    assert target.read_text() == "before"
    assert os.listdir(tmp_path) == ["mine.txt"]


def test_a_folder_below_a_file_is_told_with_the_place(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(NotWrittenError, match="file/mine.txt: could not be written .*; give another place"),
        atomic_path(tmp_path / "file" / "mine.txt"),
    ):
        pass


@pytest.mark.parametrize("error", [FileNotFoundError(errno.ENOENT, "no such file", "other.txt"),
                                   ConnectionResetError(errno.ECONNRESET, "reset"), ValueError("odd")])  # fmt: skip
def test_errors_of_what_is_only_read_pass(tmp_path, error):
    with pytest.raises(type(error)), atomic_path(tmp_path / "mine.txt"):
        raise error
    assert os.listdir(tmp_path) == []


def test_a_librarys_own_word_for_a_full_disk_is_understood(tmp_path, monkeypatch):
    class Full:
        f_bavail = 0

    with pytest.raises(NotWrittenError, match=FULL):  # noqa: PT012, SIM117
        with atomic_path(tmp_path / "mine.txt"):
            monkeypatch.setattr(os, "statvfs", lambda place: Full)
            raise RuntimeError("unexpected pos 832 vs 726")


def test_a_set_of_files_is_there_whole_or_as_before(tmp_path):
    folder = tmp_path / "export"
    with atomic_files(folder) as temporary:
        (temporary / "a.txt").write_text("first")
    with pytest.raises(MGCError) as told, atomic_files(folder) as temporary:  # noqa: PT012
        (temporary / "a.txt").write_text("second")
        with atomic_path(temporary / "b.txt"):
            fail(errno.ENOSPC)
    assert f"{folder}/b.txt: could not be written" in str(told.value)
    assert os.listdir(folder) == ["a.txt"]
    assert (folder / "a.txt").read_text() == "first"


def test_the_folder_of_a_killed_writer_goes_with_the_next(tmp_path):
    with atomic_files(tmp_path) as temporary:
        left = temporary.with_name(temporary.name.replace(f".{os.getpid()}@", ".4194305@"))
        left.mkdir()
        (left / "half.txt").write_text("ha")
        assert remove_leftovers(tmp_path) == [left]
        assert temporary.is_dir()


def test_no_folder_for_temporary_files_is_one_sentence(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "none")])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"model: {}\n")))
    with pytest.raises(SystemExit) as end:
        main(["fit", "--config", "-"])
    assert end.value.code == 2
    assert re.search(r"^error: No usable temporary directory .*none.*TMPDIR$", capsys.readouterr().err, re.MULTILINE)
