"""Coordinated sampling: every variant draws uniformly, and all of them draw the same sequences.

Each sequence has one random priority, fixed by the seed and its id; a class takes its sequences of
lowest priority. Each sample is uniform without replacement, and the samples of two overlapping
classes overlap as much as they can (the "permanent random numbers" of survey sampling).
"""

import numpy as np
from jaxtyping import Int, UInt64

GOLDEN = 0x9E3779B97F4A7C15  # 2^64 / golden ratio, the step of splitmix64
WORD = (1 << 64) - 1


def mix(words: UInt64[np.ndarray, " n"]) -> UInt64[np.ndarray, " n"]:
    """Scramble 64-bit words, one to one (the finalizer of splitmix64)."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def priorities(
    sequence_ids: Int[np.ndarray, " n"], seed: int, stream: int = 0
) -> UInt64[np.ndarray, " n"]:
    """Give every sequence its random priority.

    It depends on the seed, the stream and the sequence's own id alone, not on the row order or on
    which other sequences there are; different ids never have the same priority.

    Args:
        sequence_ids: unique ids.
        seed: of the study.
        stream: another one gives priorities that are independent of these.
    """
    start = mix(np.array([(seed * GOLDEN + stream + 1) & WORD], np.uint64))
    ids = np.ascontiguousarray(sequence_ids, np.int64).view(np.uint64)
    return mix(mix(ids + np.uint64(GOLDEN)) + start)


def sample(
    classes: Int[np.ndarray, " n"], priorities: UInt64[np.ndarray, " n"], size: int
) -> Int[np.ndarray, " sampled"]:
    """Take the `size` lowest priorities of each class (all of a smaller class): sorted rows."""
    members = [np.flatnonzero(classes == label) for label in np.unique(classes)]
    taken = [lowest(rows, priorities, size) for rows in members]
    return np.sort(np.concatenate([np.empty(0, np.int64), *taken]))


def lowest(
    rows: Int[np.ndarray, " m"], priorities: UInt64[np.ndarray, " n"], size: int
) -> Int[np.ndarray, " taken"]:
    """Those of the rows that have the lowest priorities."""
    if len(rows) <= size:
        return rows
    return rows[np.argpartition(priorities[rows], size - 1)[:size]]


def count(classes: Int[np.ndarray, " n"], names: tuple[str, ...]) -> dict[str, int]:
    """Count the sequences of each class."""
    counts = np.bincount(classes, minlength=len(names))
    return dict(zip(names, counts.tolist(), strict=True))
