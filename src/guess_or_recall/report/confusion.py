"""Confusion matrices, side by side or one above the other."""

from collections.abc import Mapping, Sequence

import numpy as np
import seaborn
from jaxtyping import Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from guess_or_recall.report.style import STYLED, WIDTH, new_figure, percent, wrapped
from guess_or_recall.statistics.f1 import scores

CELL = 0.6  # inches: holds "121,235" over "84.2%"
TIGHT = 0.53  # inches: the same at a smaller size
NAMES, TOTALS = 1.35, 0.85  # inches, left of the first panel of a row and of the others


@STYLED
def confusion_panels(
    matrices: Mapping[str, Int[np.ndarray, "classes classes"]], classes: Sequence[str]
) -> Figure:
    """Draw confusion matrices: counts, and percent of the row (paper's Figure 5).

    Args:
        matrices: title -> counts [actual class, predicted class].
        classes: names, in the order of rows and columns.
    """
    size = len(classes) * CELL
    columns = max(1, min(len(matrices), int((WIDTH - NAMES + TOTALS) / (size + TOTALS))))
    rows = -(-len(matrices) // columns)
    width = NAMES - TOTALS + columns * (size + TOTALS)
    figure = new_figure(rows * (size + 1.4), min(WIDTH, width), square=True)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for index, (title, matrix) in enumerate(matrices.items()):
        draw_matrix(panels[index], matrix, classes, named=index % columns == 0)
        panels[index].set_title(title)
    for spare in panels[len(matrices) :]:
        spare.set_axis_off()
    return figure


def with_min_f1(
    matrices: Mapping[str, Int[np.ndarray, "classes classes"]], above_chance: bool
) -> dict[str, Int[np.ndarray, "classes classes"]]:
    """Title the matrices of all epochs and of the last with their minimum F1.

    Args:
        matrices: of "all" epochs and of the "last".
        above_chance: whether the CNNs of the last epoch are.
    """
    verdict = "" if above_chance else ", not above chance"
    titles = {"all": "all CNNs, all epochs", "last": f"all CNNs, last epoch{verdict}"}
    return {
        f"{title}\nmin F1 {scores(matrices[epoch]).f1.min():.2f}": matrices[epoch]
        for epoch, title in titles.items()
    }


@STYLED
def taxonomy_panels(
    matrices: Mapping[str, tuple[Sequence[str], Int[np.ndarray, "classes classes"]]],
) -> Figure:
    """Draw confusion matrices of taxonomies with one number of classes (paper's Figures 7-12).

    Args:
        matrices: title -> names of the classes, and counts [actual class, predicted class].
    """
    size = TIGHT * len(next(iter(matrices.values()))[0])
    columns = max(1, min(len(matrices), int(WIDTH / (size + NAMES))))
    rows = -(-len(matrices) // columns)
    figure = new_figure(rows * (size + 1.4), min(WIDTH, columns * (size + NAMES)), square=True)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (title, (classes, matrix)) in zip(panels, matrices.items(), strict=False):
        draw_matrix(axes, matrix, classes, named=True)
        axes.set_title(title)
    for spare in panels[len(matrices) :]:
        spare.set_axis_off()
    return figure


def draw_matrix(
    axes: Axes, matrix: Int[np.ndarray, "classes classes"], classes: Sequence[str], named: bool
) -> None:
    """Draw one matrix; the colour is the percent of the row; rows are `named` or only counted."""
    totals = matrix.sum(axis=1)
    shares = matrix / np.maximum(totals, 1)[:, None]
    cells = [
        [f"{count:,}\n{percent(int(count), int(total))}" for count in row]
        for row, total in zip(matrix, totals, strict=True)
    ]
    names = [wrapped(name, 14) for name in classes]
    rows = [f"n = {total:,}" for total in totals]
    if named:
        rows = [f"{name}\n{row}" for name, row in zip(names, rows, strict=True)]
        axes.set_ylabel("actual class")
    seaborn.heatmap(
        shares,
        annot=np.array(cells),
        fmt="",
        annot_kws={"fontsize": 8},
        cmap="Blues",
        vmin=0,
        vmax=1,
        cbar=False,
        square=True,
        xticklabels=names,
        yticklabels=rows,
        ax=axes,
    )
    axes.set_xticklabels(names, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticklabels(rows, rotation=0)
    axes.set_xlabel("predicted class")
    axes.tick_params(length=0)
