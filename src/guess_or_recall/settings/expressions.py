"""The language of taxonomies: boolean expressions over feature columns and thresholds.

Such as `sequence_duplicates > delta`, or `is_code and not (rouge_l >= rho_l or is_repeating)`.
"""

import ast
import functools
import operator
import warnings
from collections.abc import Mapping
from typing import NoReturn

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

LONGEST = 2000  # characters of an expression
DEEPEST = 20  # parts inside one another

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
    body, shown = parse(expression), on_one_line(expression)
    missing = sorted(names(body) - set(scope))
    if missing:
        raise UserError(
            f"expression '{shown}': no column '{missing[0]}' (there are {', '.join(scope)})"
        )
    return np.broadcast_to(truth(body, scope, shown), rows)


def on_one_line(expression: str) -> str:
    """An expression as messages show it."""
    text = " ".join(expression.split())
    return text if len(text) <= 100 else f"{text[:100]}..."


@functools.cache
def parse(expression: str) -> ast.expr:
    """Parse an expression.

    Raises:
        UserError: it is no Python expression, holds a comment, or is too long or too deep.
    """
    if "#" in expression:  # on one line a comment would take the rest of the expression with it
        refuse(expression, "holds a '#': a comment belongs above it, as one of params.yaml")
    if len(expression) > LONGEST:
        refuse(expression, f"has {len(expression):,} characters: at most {LONGEST:,} are read")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # of what Python only just reads, such as `1or is_code`
            body = ast.parse(" ".join(expression.split()), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        refuse(expression, f"cannot be read: {getattr(error, 'msg', error)}")
    if depth(body) > DEEPEST:
        refuse(expression, f"has more than {DEEPEST} parts inside one another: make it flatter")
    return body


def refuse(expression: str, why: str) -> NoReturn:
    """Raise a UserError about a whole expression."""
    raise UserError(f"expression '{on_one_line(expression)}' {why}")


def depth(body: ast.expr) -> int:
    """How many parts of an expression lie inside one another at most."""
    level: list[ast.AST] = [body]
    for count in range(LONGEST):
        level = [part for node in level for part in ast.iter_child_nodes(node)]
        level = [part for part in level if isinstance(part, ast.expr)]
        if not level:
            return count + 1
    return LONGEST


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
        if not -(2**63) <= node.value < 2**63:
            refuse(expression, "has a number of more digits than 64 bits hold")
        return node.value
    raise UserError(not_allowed(node, expression))


def not_allowed(node: ast.expr, expression: str) -> str:
    """The message about a construct that expressions may not use."""
    return (
        f"expression '{expression}': '{ast.unparse(node)}' is not allowed; use columns, numbers, "
        "delta, rho_l, rho_3, comparisons, and, or, not and parentheses"
    )
