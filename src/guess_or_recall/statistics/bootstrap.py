"""Bootstrap of the minimum F1: a resample draws evaluation sequences with replacement.

A sequence is drawn with all predictions that it got, since those of different CNNs and epochs are
not independent. The trained CNNs stay as they are: an interval says nothing about another training.
"""

import numpy as np
from jaxtyping import Float, Float64, Int

from guess_or_recall.statistics.f1 import predicted_counts, scores

AT_ONCE = 256  # resamples, to bound the memory


def bootstrap_min_f1(
    actual: Int[np.ndarray, " n"],
    predicted: Int[np.ndarray, "cnns n"],
    classes: int,
    resamples: int,
    seed: int,
) -> tuple[float, float]:
    """Bounds of the 95% interval of the minimum F1, by resampling the evaluation sequences."""
    matrices = sequence_matrices(actual, predicted_counts(predicted, classes))
    random = np.random.default_rng(seed)
    minima = [
        resampled_min_f1(draws(random, len(actual), size), matrices)
        for size in parts(resamples, AT_ONCE)
    ]
    low, high = np.quantile(np.concatenate(minima), [0.025, 0.975])
    return float(low), float(high)


def sequence_matrices(
    actual: Int[np.ndarray, " n"], counts: Int[np.ndarray, "n classes"]
) -> Float64[np.ndarray, "n cells"]:
    """The confusion matrix that each sequence adds, flat.

    Args:
        actual: the class of each sequence.
        counts: how often each sequence was taken for each class.
    """
    n, classes = counts.shape
    matrices = np.zeros((n, classes, classes))
    matrices[np.arange(n), actual] = counts
    return matrices.reshape(n, -1)


def resampled_min_f1(
    times: Float[np.ndarray, "resamples n"], matrices: Float[np.ndarray, "n cells"]
) -> Float64[np.ndarray, " resamples"]:
    """Minimum F1 of every resample, which says how many times it drew each sequence."""
    classes = round(matrices.shape[1] ** 0.5)
    return scores((times @ matrices).reshape(-1, classes, classes)).f1.min(-1)


def draws(
    random: np.random.Generator, n: int, resamples: int
) -> Float64[np.ndarray, "resamples n"]:
    """How many times every resample of n with replacement draws each of n sequences."""
    drawn = random.integers(n, size=(resamples, n)) + np.arange(resamples)[:, None] * n
    return np.bincount(drawn.ravel(), minlength=resamples * n).reshape(resamples, n).astype(float)


def parts(total: int, size: int) -> list[int]:
    """Split `total` into parts of at most `size`."""
    return [min(size, total - start) for start in range(0, total, size)]
