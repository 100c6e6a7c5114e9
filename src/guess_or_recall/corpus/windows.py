"""Windows: runs of as many tokens as a sequence has, cut from documents."""

import numpy as np
from jaxtyping import Bool, Int, UInt64
from numpy.lib.stride_tricks import sliding_window_view

PART = 1 << 16  # windows that are compared at once
FACTOR = np.array([0x9E3779B97F4A7C15], np.uint64)  # an array: its overflow is meant, and silent


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
    if not len(starts):
        return np.empty((0, length), tokens.dtype)
    return np.asarray(sliding_window_view(tokens, length)[starts])


def first_of_equal(windows: Int[np.ndarray, "w length"]) -> Bool[np.ndarray, " w"]:
    """True at the first of each set of equal windows."""
    _, rows, inverse = np.unique(hashes_of_rows(windows), return_index=True, return_inverse=True)
    equal_to = rows[inverse]  # the first row of the same hash
    parts = range(0, len(windows), PART)
    if not all(
        np.array_equal(windows[part : part + PART], windows[equal_to[part : part + PART]])
        for part in parts
    ):
        _, rows = np.unique(windows, axis=0, return_index=True)  # two windows have one hash
    first = np.zeros(len(windows), bool)
    first[rows] = True
    return first


def hashes_of_rows(windows: Int[np.ndarray, "w length"]) -> UInt64[np.ndarray, " w"]:
    """A hash of each window, modulo 2^64."""
    hashes = np.zeros(len(windows), np.uint64)
    for column in windows.T:
        hashes = hashes * FACTOR + column.astype(np.uint64)
    return hashes
