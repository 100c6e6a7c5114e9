"""What reaches the user as a line: the one exception without a traceback, and notes."""

import sys
from collections.abc import Iterable
from functools import cache

from tqdm import tqdm


class UserError(ValueError):
    """Bad input: the message names the offending value, what is allowed, and the way out."""


def first_line(error: Exception) -> str:
    """The first line of another library's message, to be part of a UserError's."""
    return str(error).strip().split("\n")[0]


def say_all(lines: Iterable[str]) -> None:
    """Print some lines on stderr, each the first time that it is given."""
    for line in lines:
        say_once(line)


@cache
def say_once(line: str) -> None:
    """Print a line on stderr, beside a progress bar, the first time that it is given."""
    tqdm.write(line, file=sys.stderr)
