"""Every tree that params.yaml declares or names, in use or not, checked when the file is read."""

import ast
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import numpy as np

from guess_or_recall.errors import UserError
from guess_or_recall.settings.expressions import evaluate
from guess_or_recall.settings.taxonomy import Tree
from guess_or_recall.settings.trees import ALL, THRESHOLDS, tree

FEATURES = Path(__file__).parents[1] / "features" / "columns.py"
NUMBERS = (
    *("sequence_id", "sequence_duplicates", "memorization_score", "rouge_3", "rouge_l"),
    *("prompt_perplexity", "generation_perplexity", "sequence_perplexity"),
)


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
    """What expressions may name, without rows.

    The names of the features stand in their own table, which is read here and not imported: the
    settings know no other room.
    """
    [table] = [
        node.value
        for node in ast.parse(FEATURES.read_text("utf-8")).body
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "COLUMNS"
    ]
    assert isinstance(table, ast.Dict)
    names = [key.value for key in table.keys if isinstance(key, ast.Constant)]
    truths = dict.fromkeys(map(str, names), np.empty(0, bool))  # which fit where a number does, too
    return truths | dict.fromkeys(NUMBERS, np.empty(0))
