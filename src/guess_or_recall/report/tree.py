"""The decision tree of a taxonomy, with counts (paper's Figure 4)."""

import math
import re
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from guess_or_recall.report.style import (
    STYLED,
    class_colors,
    drawing,
    percent,
    text_color,
    wrapped,
)

WORDS = {
    "sequence_duplicates": "duplicates",
    "memorization_score": "memorization score",
    "rouge_l": "ROUGE-L",
    "rouge_3": "ROUGE-3",
    "is_incrementing": "incrementing",
    "is_repeating": "repeating",
    "is_code": "code",
    ">=": "≥",
    "<=": "≤",
    "!=": "≠",
}
SPLIT_X, LEAF_X = 1.95, 5.35  # inches: middles of the boxes
SPLIT_WIDTH, LEAF_WIDTH = 3.3, 2.5
LINE = 0.165  # inches, of text
STEP = 0.42  # inches between a split and the next


def condition_text(expression: str, thresholds: Mapping[str, float]) -> str:
    """Put an expression into words: "sequence_duplicates > delta" is "duplicates > 5".

    Args:
        expression: of a taxonomy's node.
        thresholds: values of delta, rho_l and rho_3; infinity where switched off.

    In a plain chain of `or`, the terms of a threshold that is off are left out.
    """
    off = {name for name, value in thresholds.items() if math.isinf(value)}
    if not re.search(r"\b(and|not)\b|\(", expression):
        terms = expression.split(" or ")
        kept = [term for term in terms if not off & set(re.findall(r"\w+", term))]
        expression = " or ".join(kept) or "never (threshold off)"
    values = {name: "∞" if name in off else f"{value:g}" for name, value in thresholds.items()}
    words = WORDS | values
    return re.sub(r"\w+|>=|<=|!=", lambda match: words.get(match[0], match[0]), expression)


def tied(condition: str) -> str:
    """Keep every comparison on one line, by no-break spaces."""
    return re.sub(r" ([<>≤≥=≠]+) ", "\u00a0\\1\u00a0", condition)


@STYLED
def decision_tree(
    conditions: Sequence[str], classes: Sequence[str], counts: Int[np.ndarray, " classes"]
) -> Figure:
    """Draw a taxonomy: its conditions in order, and the class and count where each one ends.

    Args:
        conditions: text of the conditions of classes 0, 1, ...; the last class has none.
        classes: names, one more than conditions.
        counts: sequences of each class.
    """
    assert len(classes) == len(conditions) + 1 == len(counts)
    total = int(counts.sum())
    texts = [f"all sequences\nn = {total:,}", *(f"{wrapped(tied(c), 42)}?" for c in conditions)]
    heights = [LINE * (1 + text.count("\n")) + 0.16 for text in texts]
    height = sum(heights) + STEP * len(heights) + 0.75
    figure, axes = drawing(height)
    colors = class_colors(classes)
    leaves = [
        f"{wrapped(name, 30)}\nn = {count:,} ({percent(count, total)})"
        for name, count in zip(classes, counts, strict=True)
    ]
    y = height - 0.1
    for index, (text, size) in enumerate(zip(texts, heights, strict=True)):
        middle = y - size / 2
        draw_box(axes, SPLIT_X, middle, SPLIT_WIDTH, size, text, "white")
        if index:
            start, end = SPLIT_X + SPLIT_WIDTH / 2, LEAF_X - LEAF_WIDTH / 2
            arrow(axes, (start, middle), (end, middle), "yes")
            draw_leaf(axes, LEAF_X, middle, leaves[index - 1], colors[index - 1])
        arrow(axes, (SPLIT_X, y - size), (SPLIT_X, y - size - STEP), "no" if index else "")
        y -= size + STEP
    draw_leaf(axes, SPLIT_X, y - 0.25, leaves[-1], colors[-1])
    return figure


def draw_leaf(axes: Axes, x: float, y: float, text: str, color: str) -> None:
    """Draw a class with its count."""
    draw_box(axes, x, y, LEAF_WIDTH, LINE * (1 + text.count("\n")) + 0.14, text, color)


def draw_box(
    axes: Axes, x: float, y: float, width: float, height: float, text: str, color: str
) -> None:
    """Draw a box around its middle, with text."""
    corner = (x - width / 2, y - height / 2)
    style = "round,pad=0,rounding_size=0.06"
    axes.add_patch(
        FancyBboxPatch(
            corner, width, height, style, facecolor=color, edgecolor="0.4", linewidth=0.8
        )
    )
    axes.text(x, y, text, ha="center", va="center", color=text_color(color), linespacing=1.15)


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], text: str) -> None:
    """Draw an arrow with its answer beside it."""
    look = {"arrowstyle": "-|>", "color": "0.4", "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, start, arrowprops=look)
    across = start[1] == end[1]
    place = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    shift, ha, va = ((0, 2), "center", "bottom") if across else ((4, 0), "left", "center")
    axes.annotate(text, place, shift, textcoords="offset points", ha=ha, va=va, fontsize=8)
