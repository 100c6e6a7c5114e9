"""The classes of sequences by a taxonomy, whose trees stand in `settings/trees.py`."""

import numpy as np
import pandas as pd
from jaxtyping import Int8

from guess_or_recall.settings.expressions import evaluate
from guess_or_recall.settings.trees import ALL, THRESHOLDS, TREES, TaxonomyTree, tree

__all__ = ["ALL", "THRESHOLDS", "TREES", "TaxonomyTree", "classify", "tree"]


def classify(
    frame: pd.DataFrame, tree: TaxonomyTree, *, delta: float, rho_l: float, rho_3: float
) -> Int8[np.ndarray, " n"]:
    """Give every sequence its class.

    Args:
        frame: n rows with memorization_score (1 = memorized) and the columns that the nodes name.
        tree: the taxonomy.
        delta: threshold on the number of duplicates.
        rho_l: threshold on ROUGE-L; infinity switches it off.
        rho_3: threshold on ROUGE-3; likewise.

    Returns:
        Positions in `tree.classes`: 0 where the score is below 1, else the first node that holds,
        else the last class.

    Raises:
        UserError: an expression cannot be read, names no column, or is not true or false.
    """
    scope = dict(zip(THRESHOLDS, (delta, rho_l, rho_3), strict=True))
    columns = {name: column.to_numpy() for name, column in frame.items() if usable(column)}
    labels = np.full(len(frame), len(tree.nodes) + 1, np.int8)
    for label, (_, expression) in reversed(list(enumerate(tree.nodes, start=1))):
        labels[evaluate(expression, columns | scope, len(frame))] = label
    labels[frame["memorization_score"].to_numpy() < 1] = 0
    return labels


def usable(column: pd.Series) -> bool:
    """Whether expressions may name the column: booleans and numbers only."""
    return column.dtype.kind in "biuf"
