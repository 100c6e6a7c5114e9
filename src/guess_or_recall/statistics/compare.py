"""Is one taxonomy better matched than another? Normalised F1 and a paired bootstrap."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Int64

from guess_or_recall.statistics.f1 import draws, parts, scores


@dataclass(frozen=True)
class Votes:
    """How often each evaluation sequence of a variant was taken for each class."""

    sequence_ids: Int64[np.ndarray, " n"]
    actual: Int[np.ndarray, " n"]
    counts: Int[np.ndarray, "n classes"]


def summed(parts: Sequence[Votes]) -> Votes:
    """Votes over several seeds, sequence by sequence."""
    ids = np.concatenate([part.sequence_ids for part in parts])
    actual = np.concatenate([part.actual for part in parts])
    counts = np.concatenate([part.counts for part in parts])
    keys, first, place = np.unique(ids, return_index=True, return_inverse=True)
    total = np.zeros((len(keys), counts.shape[1]), np.int64)
    np.add.at(total, place, counts)
    return Votes(keys, actual[first], total)


def normalised(f1: float, classes: int) -> float:
    """F1 above chance: 0 is guessing, 1 is perfect (Guess or Recall?, section on the benchmark)."""
    chance = 1 / classes
    return (f1 - chance) / (1 - chance)


def paired_difference(first: Votes, second: Votes, resamples: int, seed: int) -> dict[str, float]:
    """Difference of two variants' minimum F1, over resamples of all their evaluation sequences.

    A sequence that both evaluate is drawn for both at once: what they share cancels out. Those of
    one alone count for that one.

    Returns:
        The difference (first - second), its 95% interval, and a two-sided p-value (twice the share
        of resamples on the other side of 0, at least 1 / resamples).
    """
    ids = np.union1d(first.sequence_ids, second.sequence_ids)
    random = np.random.default_rng(seed)
    sides = [(np.searchsorted(ids, side.sequence_ids), matrices(side)) for side in (first, second)]
    found = []
    for part in parts(resamples, 256):
        drawn = draws(random, len(ids), part)
        one, other = (resampled_min_f1(drawn[:, rows], flat) for rows, flat in sides)
        found.append(one - other)
    differences = np.concatenate(found)
    low, high = np.quantile(differences, [0.025, 0.975])
    beyond = min((differences <= 0).mean(), (differences >= 0).mean())
    return {
        "difference": min_f1(first) - min_f1(second),
        "low": float(low),
        "high": float(high),
        "p": float(min(1, max(2 * beyond, 1 / resamples))),
    }


def matrices(votes: Votes) -> Float[np.ndarray, "n cells"]:
    """The confusion matrix that each sequence adds, flat."""
    n, classes = votes.counts.shape
    found = np.zeros((n, classes, classes))
    found[np.arange(n), votes.actual] = votes.counts
    return found.reshape(n, -1)


def resampled_min_f1(
    drawn: Float[np.ndarray, "r n"], flat: Float[np.ndarray, "n cells"]
) -> Float[np.ndarray, " r"]:
    """Minimum F1 of every resample."""
    classes = round(flat.shape[1] ** 0.5)
    return scores((drawn @ flat).reshape(-1, classes, classes)).f1.min(-1)


def min_f1(votes: Votes) -> float:
    """Minimum F1 of a variant."""
    everything = np.ones((1, len(votes.actual)))
    return float(resampled_min_f1(everything, matrices(votes))[0])
