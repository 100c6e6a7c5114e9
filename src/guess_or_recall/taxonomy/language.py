"""The language of taxonomies: boolean expressions over feature columns and thresholds.

Such as `sequence_duplicates > delta`, or `is_code and not (rouge_l >= rho_l or is_repeating)`.
"""

import ast
import functools
import operator
from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Shaped

from guess_or_recall.errors import UserError

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
    value = np.asarray(operand(node, scope, expression))
    if value.dtype != np.bool_:
        raise UserError(
            f"expression '{expression}': '{ast.unparse(node)}' is a number, not true or false; "
            "compare it, as in sequence_duplicates > 5"
        )
    return value


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
