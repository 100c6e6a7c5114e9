"""Coordinated sampling: every variant draws uniformly, and all of them draw the same sequences.

Each sequence has one random priority, fixed by the seed and its id; a class takes its sequences of
lowest priority. Each sample is uniform without replacement, and the samples of two overlapping
classes overlap as much as they can (the "permanent random numbers" of survey sampling).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Int, UInt64

from guess_or_recall.errors import UserError

SMALLEST = 10  # sequences of a class that can still be cut into a training and an evaluation part
GOLDEN = 0x9E3779B97F4A7C15  # 2^64 / golden ratio, the step of splitmix64
WORD = (1 << 64) - 1


@dataclass(frozen=True)
class Draw:
    """The sample of one variant: as many training and evaluation sequences of every class."""

    rows: Int[np.ndarray, " sampled"]
    is_train: Bool[np.ndarray, " sampled"]
    train: int
    eval: int
    balanced: bool  # smaller than asked for, because a class is


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


def draw(
    classes: Int[np.ndarray, " n"],
    names: tuple[str, ...],
    first: UInt64[np.ndarray, " n"],
    second: UInt64[np.ndarray, " n"],
    *,
    train: int,
    eval: int,
    shortage: Literal["balance", "stop"],
) -> Draw:
    """Draw one variant's sample and cut it into a training and an evaluation part.

    The sample has the lowest first priorities and its training part the lowest second ones: both
    are uniform, and a sequence that trains in one variant trains in nearly all others.

    Args:
        classes: class of every sequence, a position in `names`.
        names: names of the classes.
        first: priorities that decide the sample.
        second: priorities, independent of the first, that decide the part.
        train: training sequences wanted of each class.
        eval: evaluation sequences wanted of each class.
        shortage: `balance` shrinks all classes to the smallest one, `stop` raises.

    Raises:
        UserError: a class is empty or too small.
    """
    counts = count(classes, names)
    some_train, some_eval = quota(counts, train, eval, shortage)
    rows = sample(classes, first, some_train + some_eval)
    is_train = np.zeros(len(rows), bool)
    is_train[sample(classes[rows], second[rows], some_train)] = True
    return Draw(rows, is_train, some_train, some_eval, some_train + some_eval < train + eval)


def count(classes: Int[np.ndarray, " n"], names: tuple[str, ...]) -> dict[str, int]:
    """Count the sequences of each class."""
    found = np.bincount(classes, minlength=len(names))
    return dict(zip(names, found.tolist(), strict=True))


def quota(counts: dict[str, int], train: int, eval: int, shortage: str) -> tuple[int, int]:
    """Decide how many training and evaluation sequences each class gives.

    Raises:
        UserError: a class is empty, is too small to be cut, or is short where that is to stop.
    """
    wanted = train + eval
    name, smallest = min(counts.items(), key=lambda item: item[1])
    listing = ", ".join(f"{own} {number}" for own, number in counts.items())
    if smallest >= wanted:
        return train, eval
    if smallest < SMALLEST:
        size = "is empty" if smallest == 0 else f"has only {smallest} sequences"
        raise UserError(
            f"class '{name}' {size} (there are: {listing}): "
            "take another taxonomy, rho or delta, or score more sequences"
        )
    if shortage == "stop":
        raise UserError(
            f"class '{name}' has {smallest} of the {wanted} sequences that samples.train + "
            f"samples.eval ask for (there are: {listing}): lower those, set samples.shortage to "
            "balance, take another taxonomy, rho or delta, or score more sequences"
        )
    training = min(max(round(smallest * train / wanted), 1), smallest - 1)
    return training, smallest - training
