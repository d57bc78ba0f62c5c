import runpy
import sys
from pathlib import Path

import torch

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "rasterizer.py"


def test_prints_a_row_for_every_backend_and_what_is_left_out(monkeypatch, capsys):
    arguments = ["--device", "cpu", "--meshes", "8k", "--batch-sizes", "1", "--repeats", "1", "--image-size", "32"]
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *arguments, "--backends", "numba", "triton"])
    threads = torch.get_num_threads()
    try:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    finally:
        torch.set_num_threads(threads)
    printed = capsys.readouterr().out
    assert "left out: The rasterizer `triton` needs CUDA tensors" in printed
    assert "numba" in printed.split("┡")[1]
