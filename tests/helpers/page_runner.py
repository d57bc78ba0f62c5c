"""Run what pages show, by the interpreter that has the wheel: `page_runner.py FILE.py`, or `page_runner.py CALLS.json`.

The calls of all pages, a list for each folder, are run in one process, for each would spend seconds on imports; their
outcomes go to stdout.
"""

import contextlib
import io
import json
import os
import runpy
import sys
import types
from pathlib import Path


class Answers:
    """Stand in for the detector whose weights are a download: the landmarks of the photographs that are here."""

    def __init__(self, *_):
        import numpy as np
        import torch

        self.landmarks = torch.from_numpy(np.load(Path("landmarks.npy")))

    def detect(self, image, path=None):
        from mgc_lightning.photographs.detection import DetectedFace

        return [DetectedFace(self.landmarks)]


def run_block(file: str) -> None:
    name = "mgc_lightning.photographs.face_alignment_detector"
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].FaceAlignmentDetector = Answers
    sys.path.insert(0, ".")
    runpy.run_path(file, run_name="__main__")


def call(arguments: list[str]) -> dict[str, object]:
    from mgc_lightning.cli import main

    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(arguments)
        except SystemExit as stop:
            code = stop.code or 0
    return {"code": code, "out": out.getvalue(), "err": err.getvalue()}


def call_in(folder: str, calls: list[list[str]]) -> list[dict[str, object]]:
    """Run calls in a folder, and forget its modules: another page may have others of the same names."""
    os.chdir(folder)
    before = list(sys.path)
    outcomes = [call(arguments) for arguments in calls]
    sys.path[:] = before
    for name, module in list(sys.modules.items()):
        if Path(getattr(module, "__file__", None) or "/").is_relative_to(folder):
            del sys.modules[name]
    return outcomes


if __name__ == "__main__":
    if sys.argv[1].endswith(".json"):
        pages = json.loads(Path(sys.argv[1]).read_text())
        print(json.dumps({folder: call_in(folder, calls) for folder, calls in pages.items()}))
    else:
        run_block(sys.argv[1])
