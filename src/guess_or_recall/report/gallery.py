"""Attention patterns of a few sequences of each class (paper's Figure 3)."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from guess_or_recall.report.style import STYLED, WIDTH, class_colors, new_figure, wrapped

MOST_LAYERS, MOST_ROWS = 6, 8
SHADES = 24  # eight a decade: fewer shades make a far smaller PNG
FLOOR = 1e-3  # attention below this is drawn as this
CELL, AROUND = 1.2, 1.65  # inches: a pattern at most, and what stands beside them


def shown_layers(layers: int) -> Int[np.ndarray, " shown"]:
    """Pick at most six layers spread evenly, the first and the last included."""
    return np.unique(np.linspace(0, layers - 1, min(layers, MOST_LAYERS)).round().astype(int))


def shown_rows(labels: Int[np.ndarray, " g"]) -> Int[np.ndarray, " rows"]:
    """Pick the first sequences of each class, as many of each, at most eight rows, by class."""
    found = np.unique(labels)
    each = max(1, MOST_ROWS // len(found))
    return np.concatenate([np.flatnonzero(labels == label)[:each] for label in found])


@STYLED
def attention_gallery(
    attention: Float[np.ndarray, "g layers heads 64 64"],
    labels: Int[np.ndarray, " g"],
    sequence_ids: Int[np.ndarray, " g"],
    classes: Sequence[str],
) -> Figure:
    """Show head-averaged attention patterns: a row for each sequence, a column for each layer.

    Args:
        attention: patterns [sequence, layer, head, query, key], rows of each summing to 1.
        labels: class of each sequence.
        sequence_ids: their ids.
        classes: names, in the order of the labels.

    The colour scale is logarithmic from 0.001 to 1; white lines part prefix and suffix.
    """
    rows, layers = shown_rows(labels), shown_layers(attention.shape[1])
    cell = min(CELL, (WIDTH - AROUND) / len(layers))
    figure = new_figure(0.6 + (cell + 0.04) * len(rows), AROUND + cell * len(layers), square=True)
    panels = figure.subplots(len(rows), len(layers), sharex=True, sharey=True, squeeze=False)
    image = None
    for row, axes_row in zip(rows, panels, strict=True):
        for layer, axes in zip(layers, axes_row, strict=True):
            image = draw_pattern(axes, attention[row, layer].astype(np.float32).mean(axis=0))
        label = int(labels[row])
        name, color = wrapped(classes[label], 14), class_colors(classes)[label]
        axes_row[0].set_ylabel(f"{name}\n#{sequence_ids[row]}", fontsize=8)
        axes_row[0].spines["left"].set(color=color, linewidth=3)
    for layer, axes in zip(layers, panels[0], strict=True):
        axes.set_title(f"layer {layer}")
    figure.supxlabel("key position (token)", fontsize=9)
    figure.supylabel("query position (token)", fontsize=9)
    assert image is not None
    bar = figure.colorbar(image, ax=panels, aspect=12 * len(rows), extend="min", pad=0.02)
    bar.set_ticks([0.001, 0.01, 0.1, 1], labels=["0.001", "0.01", "0.1", "1"])
    bar.set_label("attention, mean over heads")
    return figure


def draw_pattern(axes: Axes, pattern: Float[np.ndarray, "64 64"]):
    """Draw one causal pattern, the impossible upper triangle left white."""
    length = len(pattern)
    causal = np.ma.masked_where(np.triu(np.ones_like(pattern), 1) > 0, pattern.clip(FLOOR / 2))
    shades = colormaps["viridis"].resampled(SHADES)
    image = axes.imshow(causal, cmap=shades, norm=LogNorm(FLOOR, 1), interpolation="none")
    middle, end = length / 2 - 0.5, length - 0.5
    axes.plot([-0.5, middle, middle], [middle, middle, end], color="white", linewidth=0.8)
    axes.set_xticks([0, length // 2])
    axes.set_yticks([0, length // 2])
    axes.tick_params(length=2)
    return image
