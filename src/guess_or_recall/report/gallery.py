"""Attention patterns of a few sequences of each class (paper's Figure 3)."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from guess_or_recall.report.pattern import draw_pattern, name_positions, square_panels
from guess_or_recall.report.style import STYLED, WIDTH, class_colors, new_figure, wrapped

MOST_LAYERS, MOST_ROWS = 6, 8
FLOOR = 1e-3  # attention below this is drawn as this
CELL, AROUND = 1.2, 1.65  # inches: a pattern at most, and what stands beside them


def shown_layers(layers: int) -> Int[np.ndarray, " shown"]:
    """Pick at most six layers spread evenly, the first and the last included."""
    return np.unique(np.linspace(0, layers - 1, min(layers, MOST_LAYERS)).round().astype(int))


def shown_rows(labels: Int[np.ndarray, " g"]) -> Int[np.ndarray, " rows"]:
    """Pick the first sequences of each class, as many of each, at most eight rows, by class."""
    present = np.unique(labels)
    most = max(1, MOST_ROWS // len(present))
    return np.concatenate([np.flatnonzero(labels == label)[:most] for label in present])


@STYLED
def attention_gallery(
    attention: Float[np.ndarray, "g layers heads query key"],
    labels: Int[np.ndarray, " g"],
    sequence_ids: Int[np.ndarray, " g"],
    classes: Sequence[str],
    prefix: int,
    numbers: Sequence[int],
) -> Figure:
    """Show head-averaged attention patterns: a row for each sequence, a column for each layer.

    Args:
        attention: patterns [sequence, layer, head, query, key], rows of each summing to 1.
        labels: class of each sequence.
        sequence_ids: their ids.
        classes: names, in the order of the labels.
        prefix: tokens of the prefix.
        numbers: the model's own, of the layers.

    The colour scale is logarithmic from 0.001 to 1; white lines part prefix and suffix.
    """
    rows, layers = shown_rows(labels), shown_layers(attention.shape[1])
    cell = min(CELL, (WIDTH - AROUND) / len(layers))
    figure = new_figure(0.6 + (cell + 0.04) * len(rows), AROUND + cell * len(layers), square=True)
    panels = square_panels(figure, len(rows), len(layers))
    image = None
    for row, axes_row in zip(rows, panels, strict=True):
        for layer, axes in zip(layers, axes_row, strict=True):
            mean = attention[row, layer].astype(np.float32).mean(axis=0).clip(FLOOR / 2)
            image = draw_pattern(axes, mean, prefix, "viridis", LogNorm(FLOOR, 1), 0.8)
        label = int(labels[row])
        name, color = wrapped(classes[label], 14), class_colors(classes)[label]
        axes_row[0].set_ylabel(f"{name}\n#{sequence_ids[row]}", fontsize=8)
        axes_row[0].spines["left"].set(color=color, linewidth=3)
    for layer, axes in zip(layers, panels[0], strict=True):
        axes.set_title(f"layer {numbers[layer]}")
    name_positions(figure)
    assert image is not None
    bar = figure.colorbar(image, ax=panels, aspect=12 * len(rows), extend="min", pad=0.02)
    bar.set_ticks([0.001, 0.01, 0.1, 1], labels=["0.001", "0.01", "0.1", "1"])
    bar.set_label("attention, mean over heads")
    return figure
