"""Is one taxonomy better matched than another? A paired bootstrap; and the order of many."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Int64
from scipy import stats

from guess_or_recall.statistics.bootstrap import (
    AT_ONCE,
    draws,
    parts,
    resampled_min_f1,
    sequence_matrices,
)


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
    sides = [
        (np.searchsorted(ids, votes.sequence_ids), sequence_matrices(votes.actual, votes.counts))
        for votes in (first, second)
    ]
    blocks = []
    for size in parts(resamples, AT_ONCE):
        times = draws(random, len(ids), size)
        minima = [resampled_min_f1(times[:, rows], matrices) for rows, matrices in sides]
        blocks.append(minima[0] - minima[1])
    differences = np.concatenate(blocks)
    low, high = np.quantile(differences, [0.025, 0.975])
    beyond = min((differences <= 0).mean(), (differences >= 0).mean())
    return {
        "difference": min_f1(first) - min_f1(second),
        "low": float(low),
        "high": float(high),
        "p": float(min(1, max(2 * beyond, 1 / resamples))),
    }


def min_f1(votes: Votes) -> float:
    """Minimum F1 of a variant."""
    once = np.ones((1, len(votes.actual)))
    return float(resampled_min_f1(once, sequence_matrices(votes.actual, votes.counts))[0])


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> tuple[float, float]:
    """Spearman's correlation of two scores of the same variants (three or more), its p-value."""
    rho, p = np.asarray(stats.spearmanr(first, second))
    return float(rho), float(p)
