"""Numbers of the default study that pages quote: `python -m tests.quoted` writes them anew.

A row of a table quotes numbers in its second cell; its third names the file of metrics and the keys
that they come from, in the same order. A number keeps its decimals, and its percent sign.
"""

import json
import re

from tests.pages import PAGES, ROOT

ROW = re.compile(r"^(\| [^|]+ \| )([^|]+)( \| `(metrics/\w+\.json)`: ([^|]+) \|)$", re.MULTILINE)
NUMBER = re.compile(r"[−-]?\d+(?:,\d{3})*(?:\.\d+)?%?")


def renewed(text: str) -> str:
    """The text of a page with the numbers that metrics/ holds now."""
    return ROW.sub(renewed_row, text)


def renewed_row(row: re.Match) -> str:
    """A row of a table with its numbers of now; KeyError where metrics have no such key."""
    before, quoted, after, file, sources = row.groups()
    metrics = json.loads((ROOT / file).read_text())
    keys = re.findall("`([^`]+)`", sources)
    numbers = NUMBER.findall(quoted)
    assert len(numbers) == len(keys) > 0, f"{len(numbers)} numbers of {len(keys)} keys: {row[0]}"
    values = iter(lookup(metrics, key) for key in keys)
    return before + NUMBER.sub(lambda old: written(next(values), old[0]), quoted) + after


def lookup(metrics: dict, key: str) -> float:
    """The value of a dotted key."""
    value = metrics
    for part in key.split("."):
        value = value[part]
    assert isinstance(value, int | float), f"{key} is no number"
    return value


def written(value: float, like: str) -> str:
    """A value in the form of a quoted number: its decimals, its percent sign, its commas."""
    percent = "%" if like.endswith("%") else ""
    digits = len(like.rstrip("%").partition(".")[2])
    return f"{value * (100 if percent else 1):,.{digits}f}{percent}".replace("-", "−")


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(renewed(page.read_text()))
