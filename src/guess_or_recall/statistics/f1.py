"""How well a grid of CNNs finds the classes: F1 from one summed confusion matrix.

The metric of a taxonomy is its MINIMUM F1 over classes (Guess or Recall?, section on the
benchmark): a taxonomy is as good as its worst class.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int, Int64, Real


@dataclass(frozen=True)
class Scores:
    """Precision, recall and F1 of every class, as fractions; 0/0 counts as 0."""

    precision: Float64[np.ndarray, "*batch classes"]
    recall: Float64[np.ndarray, "*batch classes"]
    f1: Float64[np.ndarray, "*batch classes"]

    def summary(self) -> dict[str, float]:
        """Minimum and mean over the classes."""
        return {
            f"{which}_{name}": float(getattr(np, which)(getattr(self, name)))
            for name in ("f1", "precision", "recall")
            for which in ("min", "mean")
        }


def confusion_matrix(
    actual: Int[np.ndarray, " n"], predicted: Int[np.ndarray, "*cnns n"], classes: int
) -> Int64[np.ndarray, "classes classes"]:
    """Count (actual, predicted) pairs, summed over leading axes of `predicted`."""
    pairs = actual.astype(np.int64) * classes + predicted
    return np.bincount(pairs.ravel(), minlength=classes**2).reshape(classes, classes)


def scores(confusion: Real[np.ndarray, "*batch classes classes"]) -> Scores:
    """Scores of each class from a confusion matrix, or from a batch of them."""
    right = np.diagonal(confusion, axis1=-2, axis2=-1).astype(np.float64)
    predicted, actual = confusion.sum(-2), confusion.sum(-1)
    return Scores(
        ratio(right, predicted), ratio(right, actual), ratio(2 * right, predicted + actual)
    )


def ratio(
    above: Float64[np.ndarray, "*batch classes"], below: Real[np.ndarray, "*batch classes"]
) -> Float64[np.ndarray, "*batch classes"]:
    """Quotient, 0 where `below` is 0."""
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def cross_entropy(
    logits: Float[np.ndarray, "*cnns n classes"], actual: Int[np.ndarray, " n"]
) -> Float64[np.ndarray, "*cnns n"]:
    """Cross-entropy of every prediction, in nats."""
    logits = logits.astype(np.float64)
    shifted = logits - logits.max(-1, keepdims=True)
    chosen = np.take_along_axis(
        shifted, np.broadcast_to(actual.astype(np.int64)[:, None], (*shifted.shape[:-1], 1)), -1
    )
    return np.log(np.exp(shifted).sum(-1)) - chosen[..., 0]


def predicted_counts(
    predicted: Int[np.ndarray, "cnns n"], classes: int
) -> Int64[np.ndarray, "n classes"]:
    """How often each sequence was taken for each class, over CNNs and epochs."""
    n = predicted.shape[-1]
    cells = np.arange(n) * classes + predicted.reshape(-1, n)
    return np.bincount(cells.ravel(), minlength=n * classes).reshape(n, classes)


def bootstrap_min_f1(
    actual: Int[np.ndarray, " n"],
    predicted: Int[np.ndarray, "cnns n"],
    classes: int,
    resamples: int,
    seed: int,
) -> tuple[float, float]:
    """95% interval of the minimum F1 over resamples of the evaluation sequences.

    A sequence is drawn with all predictions that it got, since those of different CNNs and
    epochs are not independent. The trained CNNs stay as they are: the interval says nothing
    about another training.
    """
    counts = predicted_counts(predicted, classes)
    per_sequence = np.zeros((len(actual), classes, classes))
    per_sequence[np.arange(len(actual)), actual] = counts
    flat = per_sequence.reshape(len(actual), -1)
    random = np.random.default_rng(seed)
    found = [
        scores((draws(random, len(actual), part) @ flat).reshape(-1, classes, classes)).f1.min(-1)
        for part in parts(resamples, 256)
    ]
    low, high = np.quantile(np.concatenate(found), [0.025, 0.975])
    return float(low), float(high)


def draws(random: np.random.Generator, n: int, resamples: int) -> Float64[np.ndarray, "r n"]:
    """How often each of n sequences is drawn, in every resample of n with replacement."""
    drawn = random.integers(n, size=(resamples, n)) + np.arange(resamples)[:, None] * n
    return np.bincount(drawn.ravel(), minlength=resamples * n).reshape(resamples, n).astype(float)


def parts(total: int, size: int) -> list[int]:
    """Split `total` into parts of at most `size`."""
    return [min(size, total - start) for start in range(0, total, size)]


def view(
    logits: Float[np.ndarray, "cnns n classes"],
    actual: Int[np.ndarray, " n"],
    resamples: int,
    seed: int,
) -> dict[str, float]:
    """All metrics of some CNNs (or CNNs and epochs), as fractions; the loss in nats."""
    classes, predicted = logits.shape[-1], logits.argmax(-1)
    low, high = bootstrap_min_f1(actual, predicted, classes, resamples, seed)
    summary = scores(confusion_matrix(actual, predicted, classes)).summary()
    return {
        "min_f1": summary.pop("min_f1"),
        "min_f1_low": low,
        "min_f1_high": high,
        **summary,
        "eval_loss": float(cross_entropy(logits, actual).mean()),
    }
