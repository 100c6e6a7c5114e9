"""Confidence intervals of shares (Wilson) and of means (bootstrap)."""

from statistics import NormalDist

import numpy as np
from jaxtyping import Float, Int


def wilson(
    successes: Int[np.ndarray, " n"], trials: Int[np.ndarray, " n"], level: float = 0.95
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Bound a share by Wilson's score interval (Wilson 1927), without continuity correction.

    Args:
        successes: how many times it happened, 0 <= successes <= trials.
        trials: how many times it could have, >= 1.
        level: the coverage, in (0, 1).

    Returns:
        The lower and the upper bound, in [0, 1].
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = successes / trials
    shrink = 1 + z**2 / trials
    centre = (share + z**2 / (2 * trials)) / shrink
    spread = share * (1 - share) / trials + z**2 / (4 * trials**2)
    half = z * np.sqrt(spread) / shrink
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def mean_interval(
    values: Float[np.ndarray, "n *rest"], resamples: int, seed: int
) -> tuple[Float[np.ndarray, "*rest"], Float[np.ndarray, "*rest"]]:
    """Bounds of the 95% interval of the mean over the first axis, by resampling it."""
    flat = values.reshape(len(values), -1)
    means = resampled_means(flat, resamples, np.random.default_rng(seed))
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    return low.reshape(values.shape[1:]), high.reshape(values.shape[1:])


def resampled_means(
    values: Float[np.ndarray, "n layers"], resamples: int, random: np.random.Generator
) -> Float[np.ndarray, "resamples layers"]:
    """Means over rows drawn with replacement."""
    n = len(values)
    return random.multinomial(n, np.full(n, 1 / n), size=resamples) @ values / n
