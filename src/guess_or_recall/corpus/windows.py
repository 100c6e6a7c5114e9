"""Windows of 64 tokens: cut from documents, chosen as background, planted, or studied."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Int

from guess_or_recall.errors import UserError

LENGTH = 64  # tokens of a sequence: a prefix of 32, a suffix of 32


def window_starts(ends: Int[np.ndarray, " d"]) -> Int[np.ndarray, " w"]:
    """Starts of the consecutive, not overlapping windows of every document; tails are dropped."""
    begins = np.concatenate([[0], ends[:-1]])
    counts = (ends - begins) // LENGTH
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(begins, counts) + LENGTH * within


def cut(tokens: Int[np.ndarray, " n"], starts: Int[np.ndarray, " w"]) -> Int[np.ndarray, "w 64"]:
    """The windows at `starts`."""
    return tokens[starts[:, None] + np.arange(LENGTH)]


def first_of_equal(windows: Int[np.ndarray, "w 64"]) -> Bool[np.ndarray, " w"]:
    """True at the first of each set of equal windows."""
    first = np.zeros(len(windows), bool)
    first[np.unique(windows, axis=0, return_index=True)[1]] = True
    return first


def plant(
    fits: Mapping[str, Bool[np.ndarray, " w"]], copies: Mapping[str, Mapping[int, int]]
) -> tuple[np.ndarray, Int[np.ndarray, " w"]]:
    """Choose the windows to plant: for each kind the first ones that fit and are still free.

    Args:
        fits: kind -> which windows (in random order) may be planted as it.
        copies: kind -> copies -> number of windows.

    Returns:
        The kind of every window ("background" where it is not planted) and its copies (1 there).

    Raises:
        UserError: the corpus has too few windows of a kind.
    """
    shape = next(iter(fits.values())).shape
    names, planted = np.full(shape, "background", dtype=object), np.ones(shape, np.int64)
    for kind, ladder in copies.items():
        rows, wanted = np.flatnonzero(fits[kind] & (names == "background")), sum(ladder.values())
        if len(rows) < wanted:
            raise UserError(
                f"sequences.planted.{kind}: {wanted} windows wanted, the corpus has {len(rows)} "
                "that fit: plant fewer, or widen rouge_l"
            )
        names[rows[:wanted]] = kind
        planted[rows[:wanted]] = np.repeat(list(ladder), list(ladder.values()))
    return names, planted
