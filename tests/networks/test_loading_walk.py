"""Loading a network is one straight way through few rooms, whatever its form."""

import collections
import sys
from pathlib import Path

import pytest
from tiny_networks import make_network

import mgc_lightning
from mgc_lightning.networks import load_network, load_predictor, save_network

ROOMS = {"networks", "files", "encoders", "face_models", "geometry"}
CHECKS = {"arguments"}
"""Whatever is made of settings is checked there, so that it is no stop on the way."""


def walk(load, path):
    """Load once to have everything imported, and tell which functions of which rooms run when it is loaded again."""
    root, called = Path(mgc_lightning.__file__).parent, collections.Counter()

    def note(frame, event, argument):
        file = Path(frame.f_code.co_filename)
        if event == "call" and file.is_relative_to(root):
            called[file.relative_to(root).parts, frame.f_code.co_name] += 1

    load(path)
    sys.setprofile(note)
    try:
        load(path)
    finally:
        sys.setprofile(None)
    return called


@pytest.mark.parametrize("load", [load_network, load_predictor])
def test_at_most_five_rooms(load, tmp_path):
    called = walk(load, save_network(make_network(), tmp_path / "network.safetensors"))
    rooms = {place[0] for place, _ in called if len(place) > 1}
    assert {"networks", "files", "encoders", "face_models"} <= rooms <= ROOMS | CHECKS
    times = collections.Counter()
    for (_, name), count in called.items():
        times[name] += count
    assert {name: times[name] for name in ("read_network", "build_network", "check_face_model", "load_weights")} == {
        "read_network": 1,
        "build_network": 1,
        "check_face_model": 1,
        "load_weights": 1,
    }
