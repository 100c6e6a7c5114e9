"""What several trainings of one variant say: intervals and tests over their seeds."""

import numpy as np
from jaxtyping import Float
from scipy import stats


def t_interval(values: Float[np.ndarray, " n"]) -> tuple[float, float]:
    """Bounds of the 95% t-interval of a mean of n >= 2 values."""
    spread = stats.sem(values) * stats.t.ppf(0.975, len(values) - 1)
    mean = np.mean(values)
    return float(mean - spread), float(mean + spread)


def paired_t(first: Float[np.ndarray, " n"], second: Float[np.ndarray, " n"]) -> dict[str, float]:
    """Paired t-test of two variants, each trained with the same n >= 2 seeds.

    Returns:
        The mean difference (first - second), its 95% interval, and the two-sided p-value.
    """
    test = stats.ttest_rel(first, second)
    low, high = test.confidence_interval()
    return {
        "difference": float(np.mean(first - second)),
        "low": float(low),
        "high": float(high),
        "p": float(test.pvalue),
    }
