"""Every tree that params.yaml declares or names, in use or not, checked when the file is read."""

from collections.abc import Iterable, Mapping
from functools import cache

import numpy as np
import pyarrow as pa

from guess_or_recall.errors import UserError
from guess_or_recall.features.columns import COLUMNS
from guess_or_recall.io.schemas import SEQUENCE_ID
from guess_or_recall.settings.taxonomy import Tree
from guess_or_recall.taxonomy.candidates import TABLES
from guess_or_recall.taxonomy.language import evaluate
from guess_or_recall.taxonomy.trees import ALL, THRESHOLDS, tree


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
    """What expressions may name, without rows; what a column of a feature holds is in its table."""
    further = pa.schema(dict.fromkeys(COLUMNS, pa.bool_()))  # which fits wherever a number does
    schemas = [further, *map(pa.schema, TABLES.values()), SEQUENCE_ID]
    fields = {field.name: field for schema in schemas for field in schema}
    empty = pa.schema(list(fields.values())).empty_table().to_pandas()
    return {name: column.to_numpy() for name, column in empty.items()}
