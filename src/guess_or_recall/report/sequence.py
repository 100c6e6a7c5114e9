"""One sequence: where it attends, and where the CNNs see its class, token by token."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, PowerNorm
from matplotlib.figure import Figure

from guess_or_recall.report.pattern import part_prefix
from guess_or_recall.report.style import STYLED, new_figure

TOKEN = 0.125  # inches a token
STRIP = 8  # layers side by side under the large panel
LETTERS = 0x250  # letters up to here are in the font
VISIBLE = str.maketrans({"\n": "⏎", "\t": "→", " ": "·", "\r": "␍"})


@STYLED
def sequence_figure(
    attention: Float[np.ndarray, "layers query key"],
    delta: Float[np.ndarray, "layers query key"],
    tokens: Sequence[str],
    prefix: int,
    layer: int,
    title: str,
    numbers: Sequence[int],
) -> Figure:
    """Draw the attention of one sequence in grey, and over it, in orange, its own Δ.

    Args:
        attention: mean over heads.
        delta: of the sequence's class, mean over CNNs.
        tokens: texts of its tokens.
        prefix: how many of them are the prefix.
        layer: the one that is drawn large, with its tokens; all are drawn small below.
        title: one line or more.
        numbers: the model's own, of the layers.
    """
    layers, length = len(attention), len(tokens)
    place = list(numbers).index(layer)
    rows = -(-layers // STRIP)
    large = TOKEN * length
    figure = new_figure(large + 1.5 + 1.1 * rows, large + 1.2)
    grid = figure.add_gridspec(rows + 1, STRIP, height_ratios=[large, *[0.95] * rows])
    axes = figure.add_subplot(grid[0, :])
    strength = PowerNorm(0.5, 0, float(delta.max()) or 1)
    draw_overlay(axes, attention[place], delta[place], strength, prefix)
    names = [shown(token) for token in tokens]
    axes.set_xticks(range(length), names, rotation=90, fontsize=6.5, family="DejaVu Sans Mono")
    axes.set_yticks(range(length), names, fontsize=6.5, family="DejaVu Sans Mono")
    axes.set(xlabel="key", ylabel="query", title=f"{title}\nlayer {layer}")
    for index in range(layers):
        small = figure.add_subplot(grid[1 + index // STRIP, index % STRIP])
        draw_overlay(small, attention[index], delta[index], strength, prefix)
        small.set_title(f"layer {numbers[index]}", fontsize=8)
        small.set(xticks=[], yticks=[])
    return figure


def draw_overlay(
    axes: Axes,
    attention: Float[np.ndarray, "query key"],
    delta: Float[np.ndarray, "query key"],
    strength: PowerNorm,
    prefix: int,
) -> None:
    """Draw attention in grey from 0.001 to 1, and Δ over it, opaque where it is high."""
    axes.imshow(attention.clip(5e-4), cmap="Greys", norm=LogNorm(1e-3, 10), interpolation="none")
    image = np.zeros((*delta.shape, 4))
    image[..., :3] = (0.90, 0.40, 0.0)
    image[..., 3] = np.asarray(strength(delta))
    axes.imshow(image, interpolation="none")
    part_prefix(axes, len(attention), prefix, "#0072B2", 0.7)


def shown(token: str) -> str:
    """The name of a token on an axis: white space made visible, at most eight letters."""
    visible = "".join(
        c if ord(c) < LETTERS or c in "⏎→␍" else "□" for c in token.translate(VISIBLE)
    )
    return visible if len(visible) <= 8 else visible[:7] + "…"
