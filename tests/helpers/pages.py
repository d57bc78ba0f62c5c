"""Pages of documentation taken apart: their code blocks, and the commands that they show."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^( *)```(\w+)[^\n]*\n(.*?)^\1```", flags=re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        page: the file.
        line: number of its first line of code.
        language: as the fence says.
        code: text without the fence.
    """

    page: Path
    line: int
    language: str
    code: str

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def file(self) -> str:
        """Name of the file that a first line such as `# my_losses.py` gives; else one by the line."""
        named = re.match(r"# (\w+\.(?:py|yaml))\b", self.code)
        suffix = {"python": "py"}.get(self.language, self.language)
        return named[1] if named else f"line_{self.line}.{suffix}"


def blocks(page: Path, language: str) -> list[Block]:
    text = page.read_text()
    return [
        Block(page, text[: found.start(3)].count("\n") + 1, language, dedent(found[3], found[1]))
        for found in FENCE.finditer(text)
        if found[2] == language
    ]


def dedent(code: str, indent: str) -> str:
    return "".join(line.removeprefix(indent) for line in code.splitlines(keepends=True))


def commands(page: Path) -> Iterator[list[str]]:
    """Give the words of every command: of the bash blocks, and of `mgc ...` and `lightning ...` in the text."""
    for block in blocks(page, "bash"):
        for line in block.code.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            while words:
                end = next((i for i, word in enumerate(words) if word in ("&&", "||", "|", ";")), len(words))
                if words[:end]:
                    yield words[:end]
                words = words[end + 1 :]
    prose = FENCE.sub("", page.read_text())
    for line in re.findall(r"`((?:mgc|lightning|python) [^`]+)`", prose):
        yield shlex.split(" ".join(line.split()))
