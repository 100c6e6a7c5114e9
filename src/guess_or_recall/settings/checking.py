"""Every tree that params.yaml declares or names, in use or not, checked when the file is read."""

from collections.abc import Iterable, Mapping
from functools import cache

import numpy as np

from guess_or_recall.errors import UserError
from guess_or_recall.features.columns import COLUMNS
from guess_or_recall.io.schemas import PERPLEXITIES
from guess_or_recall.settings.expressions import evaluate
from guess_or_recall.settings.taxonomy import Tree
from guess_or_recall.settings.trees import ALL, THRESHOLDS, tree

SCORES = ("memorization_score", *PERPLEXITIES, "rouge_3", "rouge_l")
NUMBERS = ("sequence_id", "sequence_duplicates", *SCORES)


def require_trees(declared: Mapping[str, Tree], named: Iterable[str]) -> None:
    """Check the declared trees, and that there is each tree of some names.

    Raises:
        UserError: an expression of any tree cannot be read or names no column; a name of a tree or
            class is taken; a named tree is not there.
    """
    scope = columns() | dict.fromkeys(THRESHOLDS, 0.0)
    for name in declared:
        for node, expression in tree(name, declared).nodes:
            try:
                evaluate(expression, scope, 0)
            except UserError as error:
                raise UserError(f"taxonomies.{name}.nodes.{node}: {error}") from None
    for name in named:
        if name != ALL:
            tree(name, declared)


@cache
def columns() -> dict[str, np.ndarray]:
    """What expressions may name, without rows."""
    features = dict.fromkeys(COLUMNS, np.empty(0, bool))  # which fits wherever a number does, too
    return features | dict.fromkeys(NUMBERS, np.empty(0))
