"""Attention patterns and Δ maps as pictures: squares of query and key positions."""

import numpy as np
from jaxtyping import Float
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

SHADES = 24  # fewer shades make a far smaller PNG


def square_panels(figure: Figure, rows: int, columns: int) -> np.ndarray:
    """Make axes for patterns, of which only those at the left and the bottom have labels.

    They share no axis: setting the ticks of one would set them for all, so that a model of 36
    layers took half a minute.
    """
    panels = figure.subplots(rows, columns, squeeze=False)
    for axes in panels.flat:
        axes.label_outer()
    return panels


def draw_pattern(
    axes: Axes,
    values: Float[np.ndarray, "query key"],
    prefix: int,
    colors: str,
    norm: Normalize,
    linewidth: float,
) -> AxesImage:
    """Draw one causal pattern, the impossible upper triangle left white.

    Args:
        axes: to draw in.
        values: of each query and key.
        prefix: tokens of the prefix; white lines part it from the suffix.
        colors: name of a colour map of matplotlib.
        norm: from values to colours.
        linewidth: of the white lines, in points.
    """
    causal = np.ma.masked_where(np.triu(np.ones_like(values), 1) > 0, values)
    shades = colormaps[colors].resampled(SHADES)
    image = axes.imshow(causal, cmap=shades, norm=norm, interpolation="none")
    part_prefix(axes, len(values), prefix, "white", linewidth)
    axes.set_xticks([0, prefix])
    axes.set_yticks([0, prefix])
    axes.tick_params(length=2)
    return image


def part_prefix(axes: Axes, length: int, prefix: int, color: str, linewidth: float) -> None:
    """Draw lines between the prefix and the suffix, of queries and of keys."""
    border, end = prefix - 0.5, length - 0.5
    axes.plot([-0.5, border, border], [border, border, end], color=color, linewidth=linewidth)


def name_positions(figure: Figure) -> None:
    """Say what the axes of all patterns of a figure are."""
    figure.supxlabel("key position (token)", fontsize=9)
    figure.supylabel("query position (token)", fontsize=9)
