"""The notebooks of docs/tutorials run, from their files, each in a folder of its own."""

import ast
import json
import os
import subprocess
import sys

import pytest
from pages import ROOT

NOTEBOOKS = sorted((ROOT / "docs" / "tutorials").glob("*.ipynb"))
RUN = """
import ast, json, sys
cells, space = json.load(open(sys.argv[1])), {"__name__": "__main__"}
for number, code in enumerate(cells):
    tree, shown = ast.parse(code), None
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        shown = ast.Expression(tree.body.pop().value)
    exec(compile(tree, f"cell {number}", "exec"), space)
    value = eval(compile(shown, f"cell {number}", "eval"), space) if shown else None
    if hasattr(value, "_repr_html_"):
        assert "<iframe" in value._repr_html_()
"""


def cells(path, kind):
    return ["".join(c["source"]) for c in json.loads(path.read_text())["cells"] if c["cell_type"] == kind]


def test_there_are_three():
    assert len(NOTEBOOKS) == 3


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_file_is_as_it_is_kept(notebook):
    content = json.loads(notebook.read_text())
    assert content["nbformat"] == 4
    assert len({cell["id"] for cell in content["cells"]}) == len(content["cells"])
    assert all(not cell.get("outputs") for cell in content["cells"])  # what a run leaves is not committed
    assert cells(notebook, "markdown")[0].startswith("# ")
    for code in cells(notebook, "code"):
        ast.parse(code)


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(notebook, tmp_path):
    (tmp_path / "cells.json").write_text(json.dumps(cells(notebook, "code")))
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
    command = [sys.executable, "-c", RUN, "cells.json"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
