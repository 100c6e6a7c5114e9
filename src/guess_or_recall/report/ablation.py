"""What cutting the attention of a layer does to each class, and whether Δ foretells it."""

# pandas' stubs take a selected table or column for any of five types
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from guess_or_recall.report.style import INK, MARKERS, STYLED, class_colors, new_figure, wrapped

SHOWN = ("extractable", "suffix_perplexity")
PANEL = 1.95  # inches high
TITLES = {
    "off": "attention off",
    "only-diagonal": "only the diagonal left",
    "all-but-diagonal": "the diagonal taken",
    "only-prefix-to-suffix": "only prefix to suffix left",
    "all-but-prefix-to-suffix": "prefix to suffix taken",
}


@STYLED
def ablation_curves(table: pd.DataFrame, classes: Sequence[str], prefix: int) -> Figure:
    """Plot extractable share and suffix perplexity against the layer that is cut.

    Args:
        table: see `localization.damage.class_table`: a row a class and cut, with 95% intervals;
            how "whole" is the model as it is. Sets of layers drawn at random give the control of
            wide windows.
        classes: names; the first, non-memorized, has no extractable share to lose.
        prefix: tokens of the prefix, by which extractable sequences are named.
    """
    titles = dict(zip(SHOWN, (f"share {prefix}-extractable", "suffix perplexity"), strict=True))
    rows = [
        (how, width)
        for how, width in table[["how", "width"]].drop_duplicates().itertuples(index=False)
        if how != "whole"
    ]
    figure = new_figure(PANEL * len(rows) + 0.7)
    panels = figure.subplots(len(rows), len(SHOWN), squeeze=False)
    for (how, width), line in zip(rows, panels, strict=True):
        shown = (table["how"] == how) & (table["width"] == width)
        for value, axes in zip(SHOWN, line, strict=True):
            draw_classes(axes, table[shown | (table["how"] == "whole")], value, classes)
            axes.set(title=TITLES[how], ylabel=titles[value])
            axes.set_xlabel("layer" if width == 1 else f"first of {width} layers")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(axis="y", color="0.9", linewidth=0.6)
            if value == "suffix_perplexity":
                plain_log(axes)
        line[0].set_ylim(-0.03, 1.03)
    handles, labels = panels[0, 1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4)
    return figure


def first_layer(layers: str) -> int:
    """The first of some layers, as `localization.cuts.Cut.name` writes them."""
    return int(re.split(r"[-+]", layers)[0])


def plain_log(axes: Axes) -> None:
    """A logarithmic axis of perplexities, with plain numbers."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def draw_classes(axes: Axes, table: pd.DataFrame, value: str, classes: Sequence[str]) -> None:
    """Draw one measure of one way of cutting, a line a class."""
    for index, (name, color) in enumerate(zip(classes, class_colors(classes), strict=True)):
        if index or value != "extractable":
            marker = MARKERS[index % len(MARKERS)]
            draw_class(axes, table[table["class"] == name], value, color, marker)


def draw_class(axes: Axes, table: pd.DataFrame, value: str, color: str, marker: str) -> None:
    """Draw one class: a line over windows, dashes of the whole model, a band of random sets."""
    cut = table[table["how"] != "whole"]
    windows = cut[~cut["drawn"]].reset_index(drop=True)
    spread = [windows[value] - windows[f"{value}_low"], windows[f"{value}_high"] - windows[value]]
    axes.errorbar(
        windows["layers"].map(first_layer),
        windows[value],
        yerr=[side.clip(0) for side in spread],
        fmt=f"{marker}-",
        ms=3.5,
        lw=1.1,
        elinewidth=0.8,
        color=color,
        label=table["class"].iloc[0],
    )
    whole = table.loc[table["how"] == "whole", value].iloc[0]
    axes.axhline(whole, color=color, lw=0.8, ls="--")
    random = cut[cut["drawn"]]
    if len(random):
        axes.axhspan(random[value].min(), random[value].max(), color=color, alpha=0.12, lw=0)
        axes.axhline(random[value].mean(), color=color, lw=0.8, ls=":")


@STYLED
def delta_against_ablation(
    profile: pd.DataFrame, table: pd.DataFrame, agreement: pd.DataFrame, classes: Sequence[str]
) -> Figure:
    """Plot what switching a layer off costs against its mean Δ: a point a layer, a panel a class.

    Args:
        profile: class, layer, delta with its 95% interval low, high.
        table: as `ablation_curves` takes it.
        agreement: how, class, spearman and its 95% interval low, high (empty: undefined).
        classes: names.
    """
    columns = min(3, len(classes))
    rows = -(-len(classes) // columns)
    figure = new_figure(2.9 * rows)
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for spare in panels.ravel()[len(classes) :]:
        spare.set_axis_off()
    for axes, name, color in zip(panels.ravel(), classes, class_colors(classes), strict=False):
        delta = profile[profile["class"] == name].set_index("layer")["delta"]
        cuts = table[table["class"] == name]
        off = cuts[(cuts["how"] == "off") & (cuts["width"] == 1)]
        off = off.set_index(off["layers"].map(first_layer)).loc[delta.index]
        whole = float(cuts.loc[cuts["how"] == "whole", "suffix_perplexity"].iloc[0])
        cost = np.log(off["suffix_perplexity"] / whole)
        axes.plot(delta, cost, "o", color=color, ms=4)
        for layer, x, y in zip(delta.index, delta, cost, strict=True):
            axes.annotate(str(layer), (x, y), (3, 2), textcoords="offset points", fontsize=8)
        title = f"{wrapped(name, 26)}\n{correlation_text(agreement, name)}"
        axes.set(title=title, xlabel="mean Δ of the layer")
        axes.axhline(0, color=INK, lw=0.6, ls=":")
        axes.xaxis.set_major_locator(MaxNLocator(3))
        axes.ticklabel_format(axis="x", style="sci", scilimits=(0, 0), useMathText=False)
    for axes in panels[:, 0]:
        axes.set_ylabel("rise of the suffix loss\nwithout the layer (nats)")
    return figure


def correlation_text(agreement: pd.DataFrame, name: str) -> str:
    """The rank correlation of a class in words."""
    rows = agreement[(agreement["how"] == "off") & (agreement["class"] == name)]
    defined = rows.dropna(subset=["spearman"]).to_dict("records")
    if not defined:
        return "Spearman undefined"
    [row] = defined
    text = f"Spearman {row['spearman']:.2f}\n({row['low']:.2f} to {row['high']:.2f})"
    return text.replace("-", "−")
