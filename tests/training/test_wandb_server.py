"""W&B: `fit` and `doctor` know the same keys, and a server out of reach is told before training."""

import logging
import os
import socket

import pytest

from mgc_lightning.doctor.check import State
from mgc_lightning.doctor.examination import check_wandb
from mgc_lightning.training.wandb_mode import keep_offline_without_server, prepare_wandb


@pytest.fixture
def clean(monkeypatch, tmp_path):
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    # Undone with the rest, whatever is set in between.
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.delenv("WANDB_MODE")
    return monkeypatch


@pytest.fixture
def server():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def mode(caplog):
    with caplog.at_level(logging.WARNING):
        prepare_wandb()
        keep_offline_without_server()
    return os.environ.get("WANDB_MODE", "online")


def test_a_server_of_ones_own_with_its_line_in_netrc(clean, server, tmp_path, caplog):
    clean.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server}")
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password secret-key\n")
    assert [check.state for check in check_wandb()] == [State.ABSENT]
    assert mode(caplog) == "offline"
    clean.delenv("WANDB_MODE")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login user password secret-key\n")
    assert [check.state for check in check_wandb()] == [State.GOOD]
    assert mode(caplog) == "online"
    assert not caplog.text


def test_a_key_and_no_server_is_offline_aloud(clean, server, caplog):
    clean.setenv("WANDB_API_KEY", "secret-key")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    clean.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{port}")
    assert mode(caplog) == "offline"
    assert f"http://127.0.0.1:{port} cannot be reached" in caplog.text
    assert "secret" not in caplog.text


def test_a_proxy_is_what_must_answer(clean, server, caplog):
    clean.setenv("WANDB_API_KEY", "secret-key")
    clean.setenv("WANDB_BASE_URL", "http://wandb.invalid")
    clean.setenv("http_proxy", f"http://127.0.0.1:{server}")
    clean.delenv("no_proxy", raising=False)
    clean.delenv("NO_PROXY", raising=False)
    assert mode(caplog) == "online"


def test_what_the_user_says_stays(clean, caplog):
    clean.setenv("WANDB_API_KEY", "secret-key")
    clean.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    clean.setenv("WANDB_MODE", "disabled")
    assert mode(caplog) == "disabled"
