"""Which class the planted kinds of sequences end up in."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from guess_or_recall.report.style import (
    STYLED,
    class_colors,
    compact,
    new_figure,
    percent,
    text_color,
    wrapped,
)

UNKNOWN = "unknown"
NOWHERE = "all sequences"


def kinds(planted: pd.Series) -> pd.Series:
    """Name the kind of every row: "unknown" for null, "all sequences" where all are null."""
    return planted.astype(object).fillna(NOWHERE if planted.isna().all() else UNKNOWN)


def class_counts(
    labels: Int[np.ndarray, " n"], classes: Sequence[str], planted: pd.Series
) -> pd.DataFrame:
    """Count sequences by planted kind (rows, "background" last) and class (columns)."""
    table = pd.crosstab(kinds(planted).to_numpy(), labels)
    table = table.reindex(columns=range(len(classes)), fill_value=0)
    order = sorted(table.index, key=lambda kind: (kind == "background", kind))
    return table.loc[order].set_axis(list(classes), axis=1)


@STYLED
def class_by_planting(
    labels: Int[np.ndarray, " n"], classes: Sequence[str], planted: pd.Series
) -> Figure:
    """Plot the share of each class among the sequences planted as each kind.

    Args:
        labels: class of each sequence, 0 = non-memorized.
        classes: their names, in the order of the labels.
        planted: kind of each sequence, null where unknown; all null gives one bar.
    """
    table = class_counts(labels, classes, planted)
    figure = new_figure(1.15 + 0.55 * len(table) + 0.18 * ((len(classes) - 1) // 4))
    axes = figure.subplots()
    totals = table.sum(axis=1).to_numpy()
    left = np.zeros(len(table))
    for name, color in zip(classes, class_colors(classes), strict=True):
        share = 100 * table[name].to_numpy() / totals
        axes.barh(
            range(len(table)), share, 0.72, left, color=color, label=name, edgecolor="white", lw=0.4
        )
        write_shares(axes, table[name].to_numpy(), totals, left, text_color(color))
        left += share
    names = [f"{wrapped(kind, 18)}\nn = {n:,}" for kind, n in zip(table.index, totals, strict=True)]
    axes.set_yticks(range(len(table)), names)
    axes.set(xlim=(0, 100), ylim=(len(table) - 0.5, -0.5), xlabel="share of sequences (%)")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    figure.legend(loc="outside upper center", ncols=min(len(classes), 4))
    return figure


def write_shares(
    axes: Axes,
    counts: Int[np.ndarray, " k"],
    totals: Int[np.ndarray, " k"],
    left: Float[np.ndarray, " k"],
    color: str,
    least: float = 0.09,
) -> None:
    """Write count and percent into every bar part of at least `least` of its bar."""
    for row, (count, total) in enumerate(zip(counts, totals, strict=True)):
        if count >= least * total:
            axes.text(
                left[row] + 50 * count / total,
                row,
                f"{compact(count)}\n{percent(count, total)}",
                ha="center",
                va="center",
                color=color,
                fontsize=8,
            )
