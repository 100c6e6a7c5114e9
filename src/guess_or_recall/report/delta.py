"""Δ: where in the attention the CNNs see each class (paper's Figures 6 and 13-18)."""

# pandas' stubs take a selected table or column for any of five types
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

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
SHADES = 24


@STYLED
def delta_maps(
    delta: Float[np.ndarray, "classes layers query key"], classes: Sequence[str]
) -> Figure:
    """Draw Δ of every layer and class; 1 is the highest value of a layer over its classes.

    Args:
        delta: see `localization.delta.deltas`; a class whose maps are NaN is left out.
        classes: names.
    """
    layers = delta.shape[1]
    blocks = -(-layers // COLUMNS)  # of layers, under one another
    columns = -(-layers // blocks)
    cell = min(1.1, (WIDTH - AROUND) / columns)
    there = np.flatnonzero(~np.isnan(delta).all((1, 2, 3)))
    rows = blocks * len(there)
    height = 0.75 + rows * (cell + 0.05) + 0.2 * blocks
    figure = new_figure(height, AROUND + cell * columns, square=True)
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    top = delta[there].max(axis=(0, 2, 3), keepdims=True)
    shown = np.divide(delta, top, out=np.zeros_like(delta), where=top > 0)
    image = None
    for place, panel in enumerate(panels.ravel()):
        row, column = divmod(place, columns)
        block, line = divmod(row, len(there))
        label = there[line]
        layer = block * columns + column
        if layer >= layers:
            panel.set_axis_off()
            continue
        image = draw_map(panel, shown[label, layer])
        if line == 0:
            panel.set_title(f"layer {layer}")
        if column == 0:
            panel.set_ylabel(wrapped(classes[label], 14), fontsize=8)
            panel.spines["left"].set(color=class_colors(classes)[label], linewidth=3)
    figure.supxlabel("key position (token)", fontsize=9)
    figure.supylabel("query position (token)", fontsize=9)
    assert image is not None
    bar = figure.colorbar(image, ax=panels, aspect=12 * rows, pad=0.02)
    bar.set_ticks([0, 0.1, 0.25, 0.5, 1], labels=["0", "0.1", "0.25", "0.5", "1"])
    bar.set_label("Δ, of the highest in its layer")
    return figure


def draw_map(axes: Axes, values: Float[np.ndarray, "query key"]):
    """Draw one map, the upper triangle left white; lines part prefix and suffix."""
    causal = np.ma.masked_where(np.triu(np.ones_like(values), 1) > 0, values)
    shades = colormaps["magma"].resampled(SHADES)
    image = axes.imshow(causal, cmap=shades, norm=PowerNorm(0.5, 0, 1), interpolation="none")
    length = len(values)
    middle, end = length / 2 - 0.5, length - 0.5
    axes.plot([-0.5, middle, middle], [middle, middle, end], color="white", linewidth=0.6)
    axes.set_xticks([0, length // 2])
    axes.set_yticks([0, length // 2])
    axes.tick_params(length=2)
    return image


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
