"""One sequence: where it attends, and where the CNNs see its class, token by token."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, PowerNorm
from matplotlib.figure import Figure

from guess_or_recall.report.pattern import part_prefix
from guess_or_recall.report.style import PALETTE, STYLED, new_figure, wrapped

TOKEN = 0.125  # inches a token
STRIP = 8  # layers side by side under the large panel
LETTERS = 0x250  # letters up to here are in the font
REST = 60  # letters of the text where the model has others
VISIBLE = str.maketrans({"\n": "⏎", "\t": "→", " ": "·", "\r": "␍"})


class Words(NamedTuple):
    """The tokens of a sequence as it is studied, in words."""

    tokens: Sequence[str]
    prefix: int  # how many of them are the prefix
    parting: int | None = None  # from that token of the suffix on they are the model's own
    instead: str = ""  # the text from there on

    @property
    def places(self) -> range:
        """Those of the model's own tokens, where the text has others."""
        length = len(self.tokens)
        return range(length if self.parting is None else self.prefix + self.parting, length)


@STYLED
def sequence_figure(
    attention: Float[np.ndarray, "layers query key"],
    delta: Float[np.ndarray, "layers query key"] | None,
    words: Words,
    layer: int,
    title: str,
    numbers: Sequence[int],
) -> Figure:
    """Draw the attention of one sequence in grey, and over it, in orange, its own Δ.

    Args:
        attention: mean over heads.
        delta: of the sequence's class, mean over CNNs; None where it means nothing.
        words: its tokens; those that are the model's own, not the text's, are coloured.
        layer: the one that is drawn large, with its tokens; all are drawn small below.
        title: one line or more.
        numbers: the model's own, of the layers.
    """
    layers, length = len(attention), len(words.tokens)
    place = list(numbers).index(layer)
    rows = -(-layers // STRIP)
    large = TOKEN * length
    figure = new_figure(large + 1.5 + 1.1 * rows, large + 1.2)
    grid = figure.add_gridspec(rows + 1, STRIP, height_ratios=[large, *[0.95] * rows])
    axes = figure.add_subplot(grid[0, :])
    title += "" if delta is not None else "\nno Δ: the CNNs are not above chance"
    delta = np.zeros_like(attention) if delta is None else delta
    strength = PowerNorm(0.5, 0, float(delta.max()) or 1)
    draw_overlay(axes, attention[place], delta[place], strength, words.prefix)
    name_tokens(axes, words)
    lines = [*title.split("\n"), *origin(words), f"layer {layer}"]
    width = max(40, int(1.8 * length))  # letters
    axes.set(xlabel="key", ylabel="query", title="\n".join(wrapped(line, width) for line in lines))
    for index in range(layers):
        small = figure.add_subplot(grid[1 + index // STRIP, index % STRIP])
        draw_overlay(small, attention[index], delta[index], strength, words.prefix)
        small.set_title(f"layer {numbers[index]}", fontsize=8)
        small.set(xticks=[], yticks=[])
    return figure


def origin(words: Words) -> list[str]:
    """Lines that say from where on the tokens are the model's; none where they never are."""
    if not words.places:
        return []
    first = words.places[0] + 1
    text = drawable(words.instead)
    goes_on = text if len(text) <= REST else f"{text[:REST]}…"
    said = f"from token {first} on (orange) the model's own continuation, not the text"
    return [said, f"the text goes on: ‹{goes_on}›"] if text else [said]


def name_tokens(axes: Axes, words: Words) -> None:
    """Write the tokens on both axes, in another colour where they are not the text's."""
    names = [shown(token) for token in words.tokens]
    look = {"fontsize": 6.5, "family": "DejaVu Sans Mono"}
    axes.set_xticks(range(len(names)), names, rotation=90, **look)
    axes.set_yticks(range(len(names)), names, **look)
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        for place in words.places:
            labels[place].set_color(PALETTE[5])


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
    visible = drawable(token)
    return visible if len(visible) <= 8 else visible[:7] + "…"


def drawable(text: str) -> str:
    """A text in letters that the font has, its white space made visible."""
    return "".join(
        c if (c.isprintable() and ord(c) < LETTERS) or c in "⏎→␍" else "□"
        for c in text.translate(VISIBLE)
    )
