"""What cutting the attention of a layer does to each class, and whether Δ foretells it."""

# pandas' stubs take a selected table or column for any of five types
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from guess_or_recall.report.style import INK, MARKERS, STYLED, class_colors, new_figure, wrapped

SHOWN = {"extractable": "share 32-extractable", "suffix_perplexity": "suffix perplexity"}
PANEL = 1.95  # inches high
TITLES = {
    "off": "attention off",
    "only-diagonal": "only the diagonal left",
    "all-but-diagonal": "the diagonal taken",
    "only-prefix-to-suffix": "only prefix to suffix left",
    "all-but-prefix-to-suffix": "prefix to suffix taken",
}


@STYLED
def ablation_curves(table: pd.DataFrame, classes: Sequence[str]) -> Figure:
    """Plot extractable share and suffix perplexity against the layer that is cut.

    Args:
        table: see `stages.ablate`: a row a class and cut, with 95% intervals; how "whole" is the
            model as it is. Sets of layers drawn at random give the grey control of wide windows.
        classes: names; the first, non-memorized, has no extractable share to lose.
    """
    rows = [
        (how, width)
        for how, width in table[["how", "width"]].drop_duplicates().itertuples(index=False)
        if how != "whole"
    ]
    figure = new_figure(PANEL * len(rows) + 0.7)
    panels = figure.subplots(len(rows), len(SHOWN), squeeze=False)
    for (how, width), line in zip(rows, panels, strict=True):
        own = table[(table["how"] == how) & (table["width"] == width)]
        for (value, title), axes in zip(SHOWN.items(), line, strict=True):
            for index, name in enumerate(classes):
                if index or value != "extractable":
                    draw_class(axes, table, own, value, name, index, class_colors(classes)[index])
            axes.set(title=TITLES[how], ylabel=title)
            axes.set_xlabel("layer" if width == 1 else f"first of {width} layers")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(axis="y", color="0.9", linewidth=0.6)
            if value == "suffix_perplexity":
                plain_log(axes)
        line[0].set_ylim(-0.03, 1.03)
    handles, labels = panels[0, 1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4)
    return figure


def plain_log(axes: Axes) -> None:
    """A logarithmic axis of perplexities, with plain numbers."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def draw_class(
    axes: Axes,
    table: pd.DataFrame,
    own: pd.DataFrame,
    value: str,
    name: str,
    index: int,
    color: str,
) -> None:
    """Draw one class: a line over windows, dashes of the whole model, a band of random sets."""
    rows = own[(own["class"] == name) & ~own["drawn"]].reset_index(drop=True)
    spread = [rows[value] - rows[f"{value}_low"], rows[f"{value}_high"] - rows[value]]
    axes.errorbar(
        rows.index,
        rows[value],
        yerr=[side.clip(0) for side in spread],
        fmt=f"{MARKERS[index % len(MARKERS)]}-",
        ms=3.5,
        lw=1.1,
        elinewidth=0.8,
        color=color,
        label=name,
    )
    whole = table[(table["how"] == "whole") & (table["class"] == name)].iloc[0]
    axes.axhline(whole[value], color=color, lw=0.8, ls="--")
    random = own[(own["class"] == name) & own["drawn"]]
    if len(random):
        axes.axhspan(random[value].min(), random[value].max(), color=color, alpha=0.12, lw=0)
        axes.axhline(random[value].mean(), color=color, lw=0.8, ls=":")


@STYLED
def delta_against_ablation(
    profile: pd.DataFrame, table: pd.DataFrame, agreement: pd.DataFrame, classes: Sequence[str]
) -> Figure:
    """Plot what switching a layer off costs against its mean Δ: a point a layer, a panel a class.

    Args:
        profile: class, layer, delta with interval low, high.
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
        own = table[table["class"] == name]
        off = own[(own["how"] == "off") & (own["width"] == 1)].reset_index(drop=True)
        whole = float(own.loc[own["how"] == "whole", "suffix_perplexity"].iloc[0])
        cost = np.log(off["suffix_perplexity"] / whole)
        axes.plot(delta, cost, "o", color=color, ms=4)
        for layer, (x, y) in enumerate(zip(delta, cost, strict=True)):
            axes.annotate(str(layer), (x, y), (3, 2), textcoords="offset points", fontsize=8)
        title = f"{wrapped(name, 26)}\n{said(agreement, name)}"
        axes.set(title=title, xlabel="mean Δ of the layer")
        axes.axhline(0, color=INK, lw=0.6, ls=":")
        axes.xaxis.set_major_locator(MaxNLocator(3))
        axes.ticklabel_format(axis="x", style="sci", scilimits=(0, 0), useMathText=False)
    for axes in panels[:, 0]:
        axes.set_ylabel("rise of the suffix loss\nwithout the layer (nats)")
    return figure


def said(agreement: pd.DataFrame, name: str) -> str:
    """The rank correlation of a class in words."""
    found = agreement[(agreement["how"] == "off") & (agreement["class"] == name)]
    known = found.dropna(subset=["spearman"]).to_dict("records")
    if not known:
        return "Spearman undefined"
    [row] = known
    text = f"Spearman {row['spearman']:.2f}\n({row['low']:.2f} to {row['high']:.2f})"
    return text.replace("-", "−")
