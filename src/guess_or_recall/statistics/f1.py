"""How well a grid of CNNs finds the classes: F1 from one summed confusion matrix.

The metric of a taxonomy is its MINIMUM F1 over classes (Guess or Recall?, section on the
benchmark): a taxonomy is as good as its worst class.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int, Int64, Real


@dataclass(frozen=True)
class ClassScores:
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


def scores(confusion: Real[np.ndarray, "*batch classes classes"]) -> ClassScores:
    """Scores of each class from a confusion matrix, or from a batch of them."""
    right = np.diagonal(confusion, axis1=-2, axis2=-1).astype(np.float64)
    predicted, actual = confusion.sum(-2), confusion.sum(-1)
    return ClassScores(
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


def normalised(f1: float, classes: int) -> float:
    """F1 on a scale from 0, chance, to 1, perfect (Guess or Recall?, section on the benchmark)."""
    chance = 1 / classes
    return (f1 - chance) / (1 - chance)
