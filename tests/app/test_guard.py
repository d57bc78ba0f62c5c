"""What stands before the local page: an upload that the disk does not take is one line, and leaves nothing."""

import asyncio
import errno
import os

import pytest

pytest.importorskip("starlette")

from mgc_lightning.app.guard import NO_ROOM, POLICY, middleware


def ask(folder, fails):
    """Give what a browser gets of a page that fails."""
    sent = []

    async def page(scope, receive, send):
        (folder / "tmp1abc").write_bytes(b"half of a photograph")
        fails()

    async def send(message):
        sent.append(message)

    guard = middleware("127.0.0.1", folder)[0]
    scope = {"type": "http", "method": "POST", "path": "/upload", "headers": []}
    asyncio.run(guard.cls(page)(scope, None, send))
    return sent


def test_a_full_disk_is_an_answer_and_leaves_nothing(tmp_path, caplog) -> None:
    def full():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    start, body = ask(tmp_path, full)
    assert start["status"] == NO_ROOM
    assert dict(start["headers"])[b"content-security-policy"].decode() == POLICY
    assert body["body"] == b"The file was not taken: No space left on device"
    assert not list(tmp_path.iterdir())
    (said,) = [record.getMessage() for record in caplog.records]
    assert str(tmp_path) in said


def test_the_part_of_another_that_was_removed_is_told_alike(tmp_path) -> None:
    def gone():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(tmp_path / "tmp2"))

    assert ask(tmp_path, gone)[0]["status"] == NO_ROOM


def test_other_errors_stay_what_they_are(tmp_path) -> None:
    def wrong():
        raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))

    with pytest.raises(ConnectionResetError):
        ask(tmp_path, wrong)
