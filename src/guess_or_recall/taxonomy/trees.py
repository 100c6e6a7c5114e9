"""Taxonomies: ordered nodes that cut the memorized sequences into classes.

A node is a boolean expression over the feature columns, such as `sequence_duplicates > delta`;
the built-in trees and the user's own are written in the same language and read by the same code.
"""

import ast
import difflib
import functools
import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int8, Shaped

from guess_or_recall.errors import UserError
from guess_or_recall.settings.taxonomy import Tree

NON_MEMORIZED = "non-memorized"
THRESHOLDS = ("delta", "rho_l", "rho_3")
ALL = "all"  # short for the 20 built-in trees, where params.yaml lists trees
NODES = {
    "recite": "sequence_duplicates > delta",
    "recollect": "sequence_duplicates <= delta",
    "reconstruct": "is_incrementing or is_repeating",
    "guess": "is_incrementing or is_repeating or rouge_l >= rho_l or rouge_3 >= rho_3",
    "code": "is_code",
}
COMPLETIONS = ("reconstruct", "guess", "code")
FAMILIES = (
    "recite-then-{}",
    "{}-then-recite",
    "recollect-then-{}",
    "recite-or-{}",
    "{}-or-recollect",
    "{}",
)
TREES = (
    *(family.format(node) for node in COMPLETIONS for family in FAMILIES),
    "recite",
    "recollect",
)
COMPARISONS = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}

Operand = Shaped[np.ndarray, " rows"] | float
Truth = Bool[np.ndarray, "*rows"] | np.bool_  # of whole columns, or of numbers alone


@dataclass(frozen=True)
class TaxonomyTree:
    """Nodes tried in order on the memorized sequences; what no node takes is `others`."""

    name: str
    nodes: tuple[tuple[str, str], ...]
    others: str

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of their labels."""
        return (NON_MEMORIZED, *(name for name, _ in self.nodes), self.others)

    @property
    def depends_on(self) -> frozenset[str]:
        """Which of delta, rho_l and rho_3 its expressions name."""
        named = {name for _, expression in self.nodes for name in names(parse(expression))}
        return frozenset(named & set(THRESHOLDS))


def tree(name: str, declared: Mapping[str, Tree]) -> TaxonomyTree:
    """Find a tree by name among the 20 of the study and the user's own.

    Source: Guess or Recall?, section "Taxonomies" (the families A, A-or-B and A-then-B).

    Raises:
        UserError: the name is unknown, a declared tree takes the name of a built-in one, or two of
            its classes have one name.
    """
    for own in declared:
        if own in (*TREES, ALL):
            raise UserError(f"taxonomies.{own}: '{own}' is taken; give your tree another name")
    if name in TREES:
        return built_in(name)
    if name not in declared:
        raise UserError(unknown(name, [*TREES, *declared]))
    own = declared[name]
    return checked(TaxonomyTree(name, tuple(own.nodes.items()), own.others))


def built_in(name: str) -> TaxonomyTree:
    """Compose one of the 20 trees from its name."""
    if "-or-" in name:
        nodes = ((name, " or ".join(NODES[part] for part in name.split("-or-"))),)
    else:
        nodes = tuple((part, NODES[part]) for part in name.split("-then-"))
    return TaxonomyTree(name, nodes, "recall" if name == "guess" else "others")


def checked(found: TaxonomyTree) -> TaxonomyTree:
    """Return the tree; UserError where a class name is reserved, empty or used twice."""
    for position, name in enumerate(found.classes):
        if not name.strip():
            raise UserError(f"taxonomies.{found.name}: a class needs a name, '{name}' is empty")
        if name in found.classes[:position]:
            kind = "reserved" if name == NON_MEMORIZED else "used twice"
            raise UserError(
                f"taxonomies.{found.name}: class name '{name}' is {kind}; choose another"
            )
    return found


def unknown(name: str, known: list[str]) -> str:
    """The message about a taxonomy that does not exist."""
    close = difflib.get_close_matches(name, known, n=3)
    hint = f" (did you mean {' or '.join(close)}?)" if close else ""
    return (
        f"unknown taxonomy '{name}'{hint}: use one of {', '.join(known)}, "
        "or declare it under `taxonomies` in params.yaml"
    )


def variants(
    tree: TaxonomyTree, deltas: Iterable[int], rhos: Iterable[tuple[float, float]]
) -> list[dict[str, float]]:
    """List the distinct thresholds of a tree: what its expressions do not name is left out.

    Args:
        tree: the taxonomy.
        deltas: values of δ.
        rhos: pairs of ρ_l and ρ_3, each crossed with every δ.

    Returns:
        One mapping of threshold name to value for every distinct variant, in the order given.
    """
    distinct = {}
    for delta in deltas:
        for rho_l, rho_3 in rhos:
            given = {"delta": delta, "rho_l": rho_l, "rho_3": rho_3}
            used = {name: value for name, value in given.items() if name in tree.depends_on}
            distinct[tuple(used.items())] = used
    return list(distinct.values())


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


def evaluate(expression: str, scope: Mapping, rows: int) -> Bool[np.ndarray, " rows"]:
    """Evaluate a boolean expression on whole columns.

    Args:
        expression: comparisons and boolean columns joined with and, or, not and parentheses.
        scope: arrays [rows] of the columns, and the thresholds.
        rows: length of the result.

    Raises:
        UserError: a name is not in `scope`, or the expression is not true or false.
    """
    body = parse(expression)
    missing = sorted(names(body) - set(scope))
    if missing:
        raise UserError(
            f"expression '{expression}': no column '{missing[0]}' (there are {', '.join(scope)})"
        )
    return np.broadcast_to(truth(body, scope, expression), rows)


@functools.cache
def parse(expression: str) -> ast.expr:
    """Parse an expression; UserError where it is no Python expression."""
    try:
        return ast.parse(" ".join(expression.split()), mode="eval").body
    except (SyntaxError, ValueError) as error:
        reason = getattr(error, "msg", error)
        raise UserError(f"expression '{expression}' cannot be read: {reason}") from None


def names(body: ast.expr) -> set[str]:
    """Names that an expression uses."""
    return {node.id for node in ast.walk(body) if isinstance(node, ast.Name)}


def truth(node: ast.expr, scope: Mapping, expression: str) -> Truth:
    """Evaluate a part of an expression that has to be true or false."""
    if isinstance(node, ast.BoolOp):
        join = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
        return functools.reduce(join, [truth(part, scope, expression) for part in node.values])
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return np.logical_not(truth(node.operand, scope, expression))
    if isinstance(node, ast.Compare):
        return comparison(node, scope, expression)
    found = np.asarray(operand(node, scope, expression))
    if found.dtype != np.bool_:
        raise UserError(
            f"expression '{expression}': '{ast.unparse(node)}' is a number, not true or false; "
            "compare it, as in sequence_duplicates > 5"
        )
    return found


def comparison(node: ast.Compare, scope: Mapping, expression: str) -> Truth:
    """Evaluate a comparison, chained ones (0.2 <= rouge_l < 0.5) included."""
    values = [operand(part, scope, expression) for part in (node.left, *node.comparators)]
    if not all(type(sign) in COMPARISONS for sign in node.ops):
        raise UserError(not_allowed(node, expression))
    steps = zip(node.ops, values, values[1:], strict=False)
    compared = [COMPARISONS[type(sign)](left, right) for sign, left, right in steps]
    return functools.reduce(np.logical_and, compared)


def operand(node: ast.expr, scope: Mapping, expression: str) -> Operand:
    """Value of a column, a threshold or a number."""
    if isinstance(node, ast.Name):
        return scope[node.id]
    if isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
        return node.value
    raise UserError(not_allowed(node, expression))


def not_allowed(node: ast.expr, expression: str) -> str:
    """The message about a construct that expressions may not use."""
    return (
        f"expression '{expression}': '{ast.unparse(node)}' is not allowed; use columns, numbers, "
        "delta, rho_l, rho_3, comparisons, and, or, not and parentheses"
    )
