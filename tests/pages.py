"""The pages of the documentation as tests read them: their headings and fenced blocks."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


class Block(NamedTuple):
    """A fenced block of a page."""

    heading: str  # the nearest one above it
    language: str
    text: str


class Page(NamedTuple):
    """A page in its parts; `prose` are its lines outside fenced blocks."""

    headings: list[str]
    blocks: list[Block]
    prose: str


def read_page(path: Path) -> Page:
    """Read a Markdown page; a `#` inside a fenced block is a comment, not a heading."""
    headings, blocks, prose, language = [""], [], [], None
    lines: list[str] = []
    for line in path.read_text().splitlines(keepends=True):
        if line.startswith("```"):
            if language is not None:
                blocks.append(Block(headings[-1], language, "".join(lines)))
            language, lines = (line[3:].strip() if language is None else None), []
        elif language is not None:
            lines.append(line)
        else:
            prose.append(line)
            if title := re.match(r"#+ (.+)\n", line):
                headings.append(title[1])
    assert language is None, f"{path}: a fenced block has no end"
    return Page(headings[1:], blocks, "".join(prose))


def commands(page: str, heading: str) -> list[str]:
    """The shell commands below a heading of a page, a text for each ```bash block."""
    every = read_page(ROOT / page).blocks
    shell = [block.text for block in every if (block.heading, block.language) == (heading, "bash")]
    assert shell, f"{page} has no ```bash block below {heading!r}"
    return shell
