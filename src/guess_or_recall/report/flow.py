"""Where the classes of one taxonomy go in another: an alluvial diagram (paper's Figure 2)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from guess_or_recall.report.style import STYLED, WIDTH, class_colors, drawing, percent, wrapped

BAR = 0.16  # inches, width of a class's bar
LEFT, RIGHT = 1.75, WIDTH - 1.75 - BAR
BARS = 2.2  # inches, all bars of a side together
GAP = 0.1  # inches between the bars, or labels, of a side
LINE = 0.145  # inches, of a label's text
HEAD, FOOT = 0.35, 0.35  # inches, of the titles and of the note
LEAST = 0.22  # inches: a thinner ribbon carries no text


class Classified(NamedTuple):
    """Sequences in the classes of a taxonomy; class 0 is that of the non-memorized."""

    taxonomy: str
    classes: tuple[str, ...]
    labels: Int[np.ndarray, " n"]


def flow_counts(source: Classified, target: Classified) -> Int[np.ndarray, "sources targets"]:
    """Count the memorized sequences of each pair of classes, class 0 left out."""
    counts = np.zeros((len(source.classes), len(target.classes)), np.int64)
    np.add.at(counts, (source.labels, target.labels), 1)
    assert counts[0, 1:].sum() == counts[1:, 0].sum() == 0, "both must call the same memorized"
    return counts[1:, 1:]


@STYLED
def taxonomy_flow(source: Classified, target: Classified) -> Figure:
    """Draw how memorized sequences move from one taxonomy's classes to another's.

    Args:
        source: the sequences in the taxonomy on the left.
        target: the same sequences in the taxonomy on the right.

    Non-memorized sequences are class 0 of both, so they are counted in the note below, not
    drawn: their ribbon would say nothing and dwarf the others.
    """
    counts = flow_counts(source, target)
    bars = [BARS * counts.sum(axis=axis) / max(counts.sum(), 1) for axis in (1, 0)]
    labels = [
        side_labels(source.classes[1:], counts.sum(axis=1)),
        side_labels(target.classes[1:], counts.sum(axis=0)),
    ]
    heights = [bar_tops(*side, 0)[1] for side in zip(bars, labels, strict=True)]
    figure, axes = drawing(max(heights) + HEAD + FOOT)
    tops = [
        bar_tops(side, text, FOOT + (max(heights) + height) / 2)[0]
        for side, text, height in zip(bars, labels, heights, strict=True)
    ]
    colors = class_colors(target.classes)[1:]
    draw_ribbons(axes, counts, BARS / max(counts.sum(), 1), tops[0], tops[1], colors)
    draw_side(axes, LEFT, labels[0], bars[0], tops[0], ["0.35"] * len(counts))
    draw_side(axes, RIGHT, labels[1], bars[1], tops[1], colors)
    titles = source.taxonomy, target.taxonomy
    for x, title in zip((LEFT + BAR / 2, RIGHT + BAR / 2), titles, strict=True):
        axes.text(x, axes.get_ylim()[1] - 0.17, title, ha="center", va="center", weight="bold")
    others = (source.labels == 0).sum()
    note = f"{counts.sum():,} memorized sequences; {others:,} non-memorized not drawn"
    axes.text(WIDTH / 2, 0.18, note, ha="center", va="center", fontsize=8)
    return figure


def side_labels(names: Sequence[str], totals: Int[np.ndarray, " k"]) -> list[str]:
    """Names with their counts, and percent of all memorized."""
    return [
        f"{wrapped(name, 20)}\n{total:,} ({percent(total, totals.sum())})"
        for name, total in zip(names, totals, strict=True)
    ]


def bar_tops(
    bars: Float[np.ndarray, " k"], labels: Sequence[str], top: float
) -> tuple[Float[np.ndarray, " k"], float]:
    """Stack bars downwards from `top`, each with room for its label beside its middle.

    Returns:
        The top of each bar, and the room that the stack takes, in inches.
    """
    lines = np.array([1 + label.count("\n") for label in labels])
    slots = np.maximum(bars, LINE * lines) + GAP
    return top - np.cumsum(slots) + (slots + bars) / 2, float(slots.sum())


def draw_ribbons(
    axes: Axes,
    counts: Int[np.ndarray, "source target"],
    scale: float,
    starts: Float[np.ndarray, " source"],
    ends: Float[np.ndarray, " target"],
    colors: list[str],
) -> None:
    """Draw one ribbon for each pair of classes, in the colour of the class that it reaches."""
    left, right = starts.copy(), ends.copy()
    for (source, target), count in np.ndenumerate(counts):
        size = count * scale
        if count:
            axes.add_patch(ribbon(float(left[source]), float(right[target]), size, colors[target]))
        if size >= LEAST:
            text = f"{count:,} ({percent(count, counts[source].sum())})"
            axes.text(LEFT + BAR + 0.08, left[source] - size / 2, text, va="center", fontsize=8)
        left[source] -= size
        right[target] -= size


def ribbon(left: float, right: float, size: float, color: str) -> PathPatch:
    """Make a band between the bars, `size` inches high, from the top `left` to the top `right`."""
    start, end, middle = LEFT + BAR, RIGHT, (LEFT + BAR + RIGHT) / 2
    points = [(start, left), (middle, left), (middle, right), (end, right)]
    points += [(x, y - size) for x, y in reversed(points)] + [(start, left)]
    curve = [Path.CURVE4] * 3
    codes = [Path.MOVETO, *curve, Path.LINETO, *curve, Path.CLOSEPOLY]
    return PathPatch(Path(points, codes), facecolor=color, alpha=0.45, edgecolor="none")


def draw_side(
    axes: Axes,
    x: float,
    labels: Sequence[str],
    bars: Float[np.ndarray, " k"],
    tops: Float[np.ndarray, " k"],
    colors: Sequence[str],
) -> None:
    """Draw one side's bars, their left edge at `x`, with the labels on the outer side."""
    outwards, edge = (-1, x) if x < WIDTH / 2 else (1, x + BAR)
    for label, bar, top, color in zip(labels, bars, tops, colors, strict=True):
        axes.add_patch(Rectangle((x, top - bar), BAR, bar, color=color, linewidth=0.5))
        place = edge + 0.08 * outwards, top - bar / 2
        ha = "right" if outwards < 0 else "left"
        axes.text(*place, label, ha=ha, va="center", fontsize=8, linespacing=1.1)
