"""What MkDocs makes at build time: pages of the commands, of the notebooks and of the Python API, and MathML.

Commands change and so do public names: their pages come from `--help` and from the packages' `__init__.pyi`, so that
they cannot be out of date.
"""

import ast
import contextlib
import html
import io
import json
import os
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "mgc_lightning"
HELP_COLUMNS = "88"
LONG_HELP = 200
"""Lines from which a command's help is folded away."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fill the places of generated pages in the navigation."""
    _fill(config.nav, {"tutorials/": list(_tutorial_pages()), "commands/": ["commands/index.md", *map(_command_page, _command_words())],
                       "api/": ["api/index.md", *(f"api/{name}.md" for name in _public_packages())]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    for place, text in (_command_pages() | _tutorial_pages() | _api_pages()).items():
        files.append(File.generated(config, place, content=text))
    return files


def on_page_content(html_text: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn TeX into MathML, which browsers draw without a script."""

    def mathml(found: re.Match[str]) -> str:
        block = found[1] == "div"
        return convert(html.unescape(found[3].strip()), display="block" if block else "inline")

    pattern = r'<(div|span) class="arithmatex">\\([\[(])(.*?)\\[\])]</\1>'
    return re.sub(pattern, mathml, html_text, flags=re.DOTALL)


def _fill(nav: list, lists: dict[str, list[str]]) -> None:
    for place, item in enumerate(nav):
        for title, value in item.items() if isinstance(item, dict) else ():
            if isinstance(value, list):
                _fill(value, lists)
            elif value in lists:
                nav[place] = {title: list(lists[value])}


# Commands.


def _command_words() -> list[tuple[str, ...]]:
    from mgc_lightning.cli import COMMANDS, TRAINING, Group

    def walk(entries: dict, before: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        for word, entry in entries.items():
            if isinstance(entry, Group):
                yield from walk(entry.commands, (*before, word))
            else:
                yield (*before, word)

    return [*((word,) for word in TRAINING), *walk(COMMANDS, ())]


def _command_page(words: tuple[str, ...]) -> str:
    return f"commands/{'-'.join(words)}.md"


def _command_pages() -> dict[str, str]:
    from mgc_lightning.cli import TRAINING

    pages = {"commands/index.md": _commands_index()}
    for words in _command_words():
        program = "lightning" if words[0] in TRAINING else "mgc"
        name = " ".join((program, *words))
        text = _help(program, words)
        fold = len(text.splitlines()) > LONG_HELP
        block = textwrap.indent(f"```text\n{text.rstrip()}\n```", "    " if fold else "")
        opening = f'Its keys are those of an [experiment](../experiments.md).\n\n??? note "All of `--help`"\n\n' if fold else ""
        pages[_command_page(words)] = f"# {name}\n\n{opening}{block}\n"
    return pages


def _commands_index() -> str:
    text = "# Commands\n\nTwo names of one program: `lightning` trains and scores by config, `mgc` does that and the rest."
    return f"{text} Every command has `--help`, which these pages show.\n\n```text\n{_help('mgc', ()).rstrip()}\n```\n"


def _help(program: str, words: tuple[str, ...]) -> str:
    """Give what `--help` prints, at a fixed width and without the colours of a terminal."""
    from mgc_lightning.cli import main

    printed, before = io.StringIO(), (sys.argv, dict(os.environ))
    os.environ |= {"COLUMNS": HELP_COLUMNS, "NO_COLOR": "1"}
    sys.argv = [program]
    try:
        with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
            main([*words, "--help"])
    finally:
        sys.argv = before[0]
        os.environ.clear()
        os.environ |= before[1]
    if not printed.getvalue().strip():
        raise RuntimeError(f"`{program} {' '.join(words)} --help` printed nothing")
    return printed.getvalue()


# Tutorials.


def _tutorial_pages() -> dict[str, str]:
    """Give the notebooks as pages, with the files to download; a test runs them."""
    pages = {}
    for file in sorted((ROOT / "docs" / "tutorials").glob("*.ipynb")):
        parts = []
        for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]:
            text = "".join(cell["source"])
            parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
        title, *rest = "\n\n".join(parts).split("\n", 1)
        link = f"[The notebook]({file.name}): download it, or read on."
        pages[f"tutorials/{file.stem}.md"] = f"{title}\n\n{link}\n{''.join(rest)}\n"
    return pages


# Python.


def _public_packages() -> list[str]:
    """List the packages of the front door, each with names of its own."""
    packages = {stub.parent.relative_to(ROOT).as_posix().replace("/", ".") for stub in PACKAGE.rglob("__init__.pyi")}
    packages -= {"mgc_lightning"}
    return ["mgc_lightning", *sorted(name for name in packages if _names(name)), "datamodules", "callbacks"]


def _names(package: str) -> dict[str, str]:
    """Give the public names of a package and where each is defined, by its stub or its `__init__.py`."""
    folder = ROOT / package.replace(".", "/")
    stub = folder / "__init__.pyi"
    names = {}
    for node in ast.parse((stub if stub.is_file() else folder / "__init__.py").read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            module = f"{package}.{node.module}" if node.level else node.module
            if module.startswith(("mgc_lightning", "datamodules", "callbacks")) and not module.endswith("lazy_names"):
                names |= {alias.name: f"{module}.{alias.name}" for alias in node.names}
    return names


def _api_pages() -> dict[str, str]:
    packages = _public_packages()
    where = {path: package for package in packages[1:] for path in _names(package).values()}
    rows = [f"| `{name}` | {_summary(name)} |" for name in packages]
    front = _names("mgc_lightning")
    pages = {
        "api/index.md": "# Python\n\nPublic names come from `mgc_lightning` itself, or from its packages. Each is loaded when it is "
        "first used, so that `import mgc_lightning` costs nothing; what is not listed here may change.\n\n"
        "| package | what it holds |\n|---|---|\n" + "\n".join(rows) + "\n",
        "api/mgc_lightning.md": "# mgc_lightning\n\nThe front door: `from mgc_lightning import ...`.\n\n| name | defined in |\n"
        "|---|---|\n" + "".join(f"| [`{name}`][{path}] | `{path.rsplit('.', 1)[0]}` |\n" for name, path in front.items()),
    }
    for package in packages[1:]:
        # A name that another package defines is shown there.
        own = {name: path for name, path in _names(package).items() if where[path] == package}
        blocks = [f"::: {path}\n    options:\n      heading: {name}\n" for name, path in own.items()]
        pages[f"api/{package}.md"] = f"# {package}\n\n{_summary(package)}\n\n" + "\n".join(blocks)
    shown = {path for package in packages[1:] for path in _names(package).values()}
    rest = sorted(path for path in front.values() if path not in shown)
    blocks = [f"::: {path}\n    options:\n      heading: {path.rsplit('.', 1)[1]}\n" for path in rest]
    pages["api/mgc_lightning.md"] += "\n" + "\n".join(blocks)
    return pages


def _summary(package: str) -> str:
    text = ast.get_docstring(ast.parse((ROOT / package.replace(".", "/") / "__init__.py").read_text())) or ""
    return text.split("\n\n")[0].replace("\n", " ")
