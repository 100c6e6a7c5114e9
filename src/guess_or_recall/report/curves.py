"""Learning curves of the grid of CNNs."""

import math

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from guess_or_recall.report.style import INK, MARKERS, PALETTE, STYLED, new_figure

PANELS = {
    "train_loss": "training loss (nats)",
    "eval_loss": "evaluation loss (nats)",
    "min_f1": "minimum F1",
}


@STYLED
def learning_curves(history: pd.DataFrame, classes: int) -> Figure:
    """Plot training loss, evaluation loss and minimum F1 after each epoch, a line for each CNN.

    Args:
        history: a row for each CNN and epoch: cnn ("k6-f10-mean"), epoch (from 1), train_loss,
            eval_loss (mean cross-entropy in nats), min_f1 (in [0, 1]).
        classes: how many; the loss of guessing among them evenly is drawn.
    """
    names = list(dict.fromkeys(history["cnn"]))
    ordered = history.sort_values(by="epoch")
    figure = new_figure(2.75 + 0.17 * -(-len(names) // 4))
    panels = figure.subplots(1, len(PANELS))
    for axes, (column, label) in zip(panels, PANELS.items(), strict=True):
        for name, look in zip(names, looks(names), strict=True):
            rows = ordered.loc[ordered["cnn"] == name]
            axes.plot(rows["epoch"], rows[column], label=name, markersize=4, **look)
        axes.set(xlabel="epoch", title=label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(axis="y", color="0.9", linewidth=0.6)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, handlelength=3)
    look = {"color": INK, "linewidth": 0.8, "linestyle": ":"}
    chance = [axes.axhline(math.log(classes), **look) for axes in panels[:2]]
    text = f"loss of an even guess among {classes} classes, ln {classes}"
    figure.legend(chance[:1], [text], loc="outside upper left")
    panels[2].set_ylim(0, 1)
    return figure


def looks(names: list[str]) -> list[dict]:
    """A colour and marker for each kernel and features; the head pooling sets the line style."""
    shapes = list(dict.fromkeys(name.rpartition("-")[0] for name in names))
    poolings = list(dict.fromkeys(name.rpartition("-")[2] for name in names))
    styles = []
    for name in names:
        shape, _, pooling = name.rpartition("-")
        index = shapes.index(shape)
        line = ("-", "--", ":", "-.")[poolings.index(pooling) % 4]
        color = PALETTE[1 + index % (len(PALETTE) - 2)]  # yellow lines are too faint
        styles.append({"color": color, "marker": MARKERS[index % len(MARKERS)], "linestyle": line})
    return styles
