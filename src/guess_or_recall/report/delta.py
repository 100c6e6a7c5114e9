"""Δ: where in the attention the CNNs see each class (paper's Figures 6 and 13-18)."""

# pandas' stubs take a selected table or column for any of five types
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from guess_or_recall.report.pattern import draw_pattern, name_positions, square_panels
from guess_or_recall.report.style import (
    MARKERS,
    STYLED,
    WIDTH,
    class_colors,
    new_figure,
    wrapped,
)

COLUMNS = 9  # layers side by side at most
AROUND = 1.3  # inches beside the maps


@STYLED
def delta_maps(
    delta: Float[np.ndarray, "classes layers query key"],
    classes: Sequence[str],
    prefix: int,
    numbers: Sequence[int],
) -> Figure:
    """Draw Δ of every layer and class; 1 is the highest value of a layer over its classes.

    Args:
        delta: see `localization.delta.deltas`; a class whose maps are NaN is left out.
        classes: names.
        prefix: tokens of the prefix.
        numbers: the model's own, of the layers.
    """
    layers = delta.shape[1]
    blocks = -(-layers // COLUMNS)  # of layers, under one another
    columns = -(-layers // blocks)
    cell = min(1.1, (WIDTH - AROUND) / columns)
    present = np.flatnonzero(~np.isnan(delta).all((1, 2, 3)))
    rows = blocks * len(present)
    height = 0.75 + rows * (cell + 0.05) + 0.2 * blocks
    figure = new_figure(height, AROUND + cell * columns, square=True)
    panels = square_panels(figure, rows, columns)
    shares = relative(delta, present)
    image = None
    for (row, column), axes in np.ndenumerate(panels):
        block, line = divmod(row, len(present))
        label, layer = present[line], block * columns + column
        if layer >= layers:
            axes.set_axis_off()
            continue
        image = draw_pattern(axes, shares[label, layer], prefix, "magma", PowerNorm(0.5, 0, 1), 0.6)
        if line == 0:
            axes.set_title(f"layer {numbers[layer]}")
        if column == 0:
            axes.set_ylabel(wrapped(classes[label], 14), fontsize=8)
            axes.spines["left"].set(color=class_colors(classes)[label], linewidth=3)
    name_positions(figure)
    assert image is not None
    bar = figure.colorbar(image, ax=panels, aspect=12 * rows, pad=0.02)
    bar.set_ticks([0, 0.1, 0.25, 0.5, 1], labels=["0", "0.1", "0.25", "0.5", "1"])
    bar.set_label("Δ, of the highest in its layer")
    return figure


def relative(
    delta: Float[np.ndarray, "classes layers query key"], present: Int[np.ndarray, " present"]
) -> Float[np.ndarray, "classes layers query key"]:
    """Δ as a share of the highest value of its layer, over the classes that have sequences."""
    top = delta[present].max(axis=(0, 2, 3), keepdims=True)
    return np.divide(delta, top, out=np.zeros_like(delta), where=top > 0)


@STYLED
def delta_profile(profile: pd.DataFrame, classes: Sequence[str]) -> Figure:
    """Plot mean Δ against the layer, a line for each class (paper's Figure 6b).

    Args:
        profile: class, layer, delta, and its 95% interval low and high; a class without rows is
            left out.
        classes: names, in the order of the colours.
    """
    figure = new_figure(2.9)
    axes = figure.subplots()
    for index, (name, color) in enumerate(zip(classes, class_colors(classes), strict=True)):
        rows = profile[profile["class"] == name]
        if rows.empty:
            continue
        marker = MARKERS[index % len(MARKERS)]
        axes.plot(rows["layer"], rows["delta"], marker=marker, ms=4, color=color, label=name)
        axes.fill_between(rows["layer"], rows["low"], rows["high"], color=color, alpha=0.2, lw=0)
    axes.set(xlabel="layer", ylabel="mean Δ over positions", ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", color="0.9", linewidth=0.6)
    axes.legend(title="class (band: 95% over sequences)", alignment="left")
    return figure
