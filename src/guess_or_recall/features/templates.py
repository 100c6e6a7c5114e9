"""Templates in the text of a sequence: numbers that count up (or down), text that repeats.

Source: the features of "Recite, Reconstruct, Recollect" (Prashanth et al. 2024) on which the
taxonomies of "Guess or Recall?" stand. Their quirks are kept, because the data sets carry them.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Bool
from tqdm import tqdm

WHITE = re.compile(r"\s+")
INTEGER_WORD = re.compile(r"(?<![^ ])[+-]?\d\w*(?![^ ])")  # all that int(word, 0) can parse
PIECE = re.compile(r"[0-9]+|[^0-9 ]+")


def templates(texts: Sequence[str]) -> tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Say which texts are incrementing, and which of the others are repeating."""
    incrementing, repeating = np.zeros((2, len(texts)), bool)
    for i, text in enumerate(tqdm(texts, "templates", unit=" texts", mininterval=1)):
        incrementing[i] = is_incrementing(text)
        repeating[i] = not incrementing[i] and is_repeating(text)
    return incrementing, repeating


def is_incrementing(text: str) -> bool:
    """Say whether words and numbers alternate so that the numbers grow by constant steps."""
    tokens = words_and_numbers(text)
    if len(tokens) < 3 or int not in map(type, tokens):  # only numbers can take a step
        return False
    if len(tokens) == 3:
        return three_increment(*tokens)
    return has_stepping_period(tokens[1:-1] if len(tokens) > 4 else tokens)


def is_repeating(text: str) -> bool:
    """Say whether the characters repeat with a period of at most half the text.

    The first and the last character are left out of more than 4; a partial last round counts.
    """
    if len(text) <= 3:
        return False
    inner = text[1:-1] if len(text) > 4 else text
    half = inner[: len(inner) - len(inner) // 2]
    period = inner.find(half, 1)  # shifted by a period, the text begins with the same half
    while period != -1:
        if inner.startswith(inner[period:]):
            return True
        period = inner.find(half, period + 1)
    return False


def words_and_numbers(text: str) -> list[int | str]:
    """Cut a text at spaces and around runs of digits; hexadecimal words become decimal."""
    spaced = INTEGER_WORD.sub(lambda word: decimal(word[0]), WHITE.sub(" ", text))
    shown = repr(spaced.strip())
    for removed in ("\\n", "\\x", "\\", "'", '"'):  # in this order
        shown = shown.replace(removed, "")
    pieces = PIECE.findall(shown)
    return [number(piece) if piece[-1].isdecimal() else piece for piece in pieces]


def decimal(word: str) -> str:
    """Rewrite an integer in any notation of Python (0x1F, 1_000, +5) as decimal digits."""
    try:
        return str(int(word, 0))
    except ValueError:
        return word


def number(piece: str) -> int | str:
    """Read a piece as an integer where it is one."""
    try:
        return int(piece)
    except ValueError:
        return piece


def three_increment(a: int | str, b: int | str, c: int | str) -> bool:
    """Decide on exactly three tokens.

    The published test of the second difference takes no absolute value, so that 1 5 2 counts.
    """
    if isinstance(a, str) or isinstance(b, str) or isinstance(c, str):
        return False
    return c != b and a - 2 * b + c <= 0


def has_stepping_period(tokens: list[int | str]) -> bool:
    """Look for a period whose columns are constant words or numbers with constant differences.

    A step is remembered from one period to the next; a period without any ends the search.
    """
    stepped = False
    for period in range(1, len(tokens) // 2 + 1):
        differences = column_differences(tokens, period)
        stepped = stepped or any(differences)
        if len(differences) < period:
            continue
        if not stepped:
            return False
        if is_confirmed(tokens, period):
            return True
    return False


def column_differences(tokens: list[int | str], period: int) -> list[int]:
    """Difference within each column, up to the first column that has none."""
    differences = []
    for start in range(period):
        difference = common_difference(tokens[start::period])
        if difference is None:
            break
        differences.append(difference)
    return differences


def common_difference(column: list[int | str]) -> int | None:
    """Difference between neighbours of a column: 0 for equal words, None where it varies."""
    first, second = column[:2]
    if isinstance(first, str) or isinstance(second, str):
        return 0 if column.count(first) == len(column) else None
    difference = second - first
    for before, after in pairwise(column):
        if isinstance(before, str) or isinstance(after, str) or after - before != difference:
            return None
    return difference


def is_confirmed(tokens: list[int | str], period: int) -> bool:
    """Say whether some number column has two differences, so that its step is no accident."""
    return any(
        isinstance(token, int) for token in tokens[: max(0, min(period, len(tokens) - 2 * period))]
    )
