"""Does Δ tell where an ablation hurts? Rank correlation over layers, with its interval."""

import numpy as np
from jaxtyping import Float
from scipy import stats

from guess_or_recall.statistics.intervals import resampled_means


def rank_agreement(
    profiles: Float[np.ndarray, "n layers"],
    damages: Float[np.ndarray, "m layers"],
    resamples: int,
    seed: int,
) -> dict[str, float]:
    """Spearman's correlation of two means over sequences, layer by layer.

    Args:
        profiles: mean Δ of each layer, a row a sequence.
        damages: what the ablation of each layer does, a row a sequence (others than the first).
        resamples: of both sets of sequences, and of the layers.
        seed: of the resamples.

    Returns:
        The correlation and its 95% interval; empty where all layers are alike or there are fewer
        than three.
    """
    layers = profiles.shape[1]
    if layers < 3 or np.ptp(profiles.mean(0)) == 0 or np.ptp(damages.mean(0)) == 0:
        return {}
    random = np.random.default_rng(seed)
    drawn = random.integers(layers, size=(resamples, layers))
    ranks = [
        stats.rankdata(
            np.take_along_axis(resampled_means(values, resamples, random), drawn, 1), axis=1
        )
        for values in (profiles, damages)
    ]
    low, high = np.nanquantile(row_correlation(*ranks), [0.025, 0.975])
    measured = stats.spearmanr(profiles.mean(0), damages.mean(0)).statistic  # pyright: ignore
    return {"spearman": float(measured), "low": float(low), "high": float(high)}


def row_correlation(
    first: Float[np.ndarray, "rows layers"], second: Float[np.ndarray, "rows layers"]
) -> Float[np.ndarray, " rows"]:
    """Pearson's correlation of each row with the same row of the other matrix."""
    x, y = (matrix - matrix.mean(1, keepdims=True) for matrix in (first, second))
    with np.errstate(invalid="ignore"):
        return (x * y).sum(1) / np.sqrt((x**2).sum(1) * (y**2).sum(1))
