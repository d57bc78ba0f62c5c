"""The library speaks Python's names; flags are for the command line, and for commands that are shown in full."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
COMMAND_LINE = (
    "commands/",
    "arguments/",
    "cli.py",
    "completion.py",
    *(f"training/{name}.py" for name in ("cli", "flags", "preflight", "resolve", "short_help", "stop")),
)
"""Files that make the command line."""
WHOLE_COMMAND = re.compile(r"\b(mgc|lightning|pip|python|docker)\b[^`]*$|^[^`]*\b(bfm09|--name)\b")


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Give strings whole, `{}` where an f-string has a value."""
    if isinstance(tree, ast.JoinedStr):
        yield tree.lineno, "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in tree.values)
    elif isinstance(tree, ast.Constant) and isinstance(tree.value, str):
        yield tree.lineno, tree.value
    else:
        for child in ast.iter_child_nodes(tree):
            yield from texts(child)


def test_no_message_of_the_library_names_a_flag() -> None:
    found = []
    for package in ("mgc_lightning", "callbacks", "datamodules"):
        for file in sorted((ROOT / package).rglob("*.py")):
            if str(file.relative_to(ROOT / package)).startswith(COMMAND_LINE):
                continue
            found += [
                f"{file.relative_to(ROOT)}:{line}: {text!r}"
                for line, text in texts(ast.parse(file.read_text()))
                for flag in re.finditer(r"(?<![\w-])--[a-z]", text)
                if flag.start() and not WHOLE_COMMAND.search(text[: flag.start()])
            ]
    assert found == []
