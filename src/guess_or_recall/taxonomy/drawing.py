"""The sample of one variant, cut into a training and an evaluation part."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, UInt64

from guess_or_recall.errors import UserError
from guess_or_recall.settings.taxonomy import Samples
from guess_or_recall.taxonomy.sampling import count, priorities, sample

SMALLEST = 10  # sequences of a class that can still be cut into a training and an evaluation part


class Orders(NamedTuple):
    """Two independent priorities of every sequence."""

    sample: UInt64[np.ndarray, " n"]  # decides the sample
    part: UInt64[np.ndarray, " n"]  # decides its training part


@dataclass(frozen=True)
class Draw:
    """The sample of one variant: as many training and evaluation sequences of every class."""

    rows: Int[np.ndarray, " sampled"]
    is_train: Bool[np.ndarray, " sampled"]
    train: int
    eval: int
    balanced: bool  # smaller than asked for, because a class is


def orders(sequence_ids: Int[np.ndarray, " n"], seed: int) -> Orders:
    """Priorities of every sequence, the same ones for every variant of a study."""
    return Orders(priorities(sequence_ids, seed), priorities(sequence_ids, seed, stream=1))


def draw(
    classes: Int[np.ndarray, " n"], names: tuple[str, ...], orders: Orders, samples: Samples
) -> Draw:
    """Draw one variant's sample and cut it into a training and an evaluation part.

    The sample has the lowest priorities of one order and its training part the lowest of the
    other: both are uniform, and a sequence that trains in one variant trains in nearly all others.

    Args:
        classes: class of every sequence, a position in `names`.
        names: names of the classes.
        orders: priorities of every sequence.
        samples: training and evaluation sequences of each class; if a class has too few,
            `balance` shrinks all classes to the smallest one and `stop` raises.

    Raises:
        UserError: a class is empty or too small.
    """
    train, eval = quota(count(classes, names), samples)
    rows = sample(classes, orders.sample, train + eval)
    is_train = np.zeros(len(rows), bool)
    is_train[sample(classes[rows], orders.part[rows], train)] = True
    return Draw(rows, is_train, train, eval, train + eval < samples.train + samples.eval)


def quota(counts: dict[str, int], samples: Samples) -> tuple[int, int]:
    """Decide how many training and evaluation sequences each class gives.

    Raises:
        UserError: a class is empty, is too small to be cut, or is short where that is to stop.
    """
    asked = samples.train + samples.eval
    name, smallest = min(counts.items(), key=lambda item: item[1])
    listing = ", ".join(f"{label} {number}" for label, number in counts.items())
    if smallest >= asked:
        return samples.train, samples.eval
    if smallest < SMALLEST:
        size = "is empty" if smallest == 0 else f"has only {smallest} sequences"
        raise UserError(
            f"class '{name}' {size} (there are: {listing}): "
            "take another taxonomy, rho or delta, or score more sequences"
        )
    if samples.shortage == "stop":
        raise UserError(
            f"class '{name}' has {smallest} of the {asked} sequences that samples.train + "
            f"samples.eval ask for (there are: {listing}): lower those, set samples.shortage to "
            "balance, take another taxonomy, rho or delta, or score more sequences"
        )
    train = min(max(round(smallest * samples.train / asked), 1), smallest - 1)
    return train, smallest - train
