"""Windows: runs of as many tokens as a sequence has, cut from documents."""

import numpy as np
from jaxtyping import Bool, Int


def window_starts(ends: Int[np.ndarray, " d"], length: int) -> Int[np.ndarray, " w"]:
    """Starts of the consecutive, not overlapping windows of every document; tails are dropped."""
    begins = np.concatenate([[0], ends[:-1]])
    counts = (ends - begins) // length
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(begins, counts) + length * within


def cut(
    tokens: Int[np.ndarray, " n"], starts: Int[np.ndarray, " w"], length: int
) -> Int[np.ndarray, "w length"]:
    """The windows at `starts`."""
    return tokens[starts[:, None] + np.arange(length)]


def first_of_equal(windows: Int[np.ndarray, "w length"]) -> Bool[np.ndarray, " w"]:
    """True at the first of each set of equal windows."""
    first = np.zeros(len(windows), bool)
    first[np.unique(windows, axis=0, return_index=True)[1]] = True
    return first
