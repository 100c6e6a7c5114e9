"""Figures of a sweep: minimum F1 by taxonomy, and against ρ."""

# pandas' stubs take a selected table or column for any of five types
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportGeneralTypeIssues=false

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from guess_or_recall.report.style import INK, MARKERS, PALETTE, STYLED, new_figure

LINE = 0.17  # inches of a bar
MODES = {
    "ROUGE-L and ROUGE-3": lambda t: t["rho_l"].notna() & (t["rho_l"] == t["rho_3"]),
    "ROUGE-L alone": lambda t: t["rho_l"].notna() & t["rho_3"].isna(),
    "ROUGE-3 alone": lambda t: t["rho_l"].isna() & t["rho_3"].notna(),
}


@STYLED
def min_f1_bars(table: pd.DataFrame) -> Figure:
    """Draw minimum F1 with its interval, a bar each variant: a panel each number of classes.

    Args:
        table: variant, classes, train, min_f1, min_f1_low, min_f1_high (percent), and
            published_min_f1, empty where there is none.
    """
    sizes = sorted(table["classes"].unique())
    counts = [int((table["classes"] == size).sum()) for size in sizes]
    figure = new_figure(LINE * sum(counts) + 0.55 * len(sizes) + 0.5)
    panels = figure.subplots(len(sizes), 1, squeeze=False, sharex=True, height_ratios=counts)
    for axes, size in zip(panels.ravel(), sizes, strict=True):
        draw_bars(axes, table[table["classes"] == size], size)
    panels[-1, 0].set_xlabel("minimum F1 (%), 95% interval over evaluation sequences")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=3)
    return figure


def draw_bars(axes: Axes, rows: pd.DataFrame, classes: int) -> None:
    """Draw the variants of one number of classes, the best on top."""
    rows = rows.sort_values("min_f1", ascending=False)
    place = np.arange(len(rows))
    axes.barh(place, rows["min_f1"], height=0.72, color=PALETTE[6], label="here")
    low, high = (rows["min_f1"] - rows["min_f1_low"], rows["min_f1_high"] - rows["min_f1"])
    axes.errorbar(
        rows["min_f1"], place, xerr=[low.clip(0), high.clip(0)], fmt="none", ecolor=INK, lw=0.8
    )
    axes.plot(rows["published_min_f1"], place, "D", ms=3.2, color=PALETTE[5], label="published")
    axes.axvline(100 / classes, color=INK, lw=0.8, ls=":", label="chance")
    names = zip(rows["variant"], rows["train"], strict=True)
    axes.set_yticks(place, [f"{name}  ({train:,})" for name, train in names])
    axes.set(ylim=(len(rows) - 0.4, -0.6), xlim=(0, 100))
    axes.set_title(f"{classes} classes (training sequences a class)", loc="left")
    axes.tick_params(axis="y", length=0)


@STYLED
def min_f1_against_rho(table: pd.DataFrame) -> Figure:
    """Draw minimum F1 of `guess` against ρ, for both ROUGE scores and for one alone.

    Args:
        table: rho_l and rho_3 (empty: off), train, min_f1, its interval and published_min_f1.
    """
    figure = new_figure(3.4)
    axes = figure.subplots()
    for index, (mode, chosen) in enumerate(MODES.items()):
        rows = table[chosen(table)]
        rho = rows["rho_l"].fillna(rows["rho_3"])
        rows = rows.assign(rho=rho + 0.006 * (index - 1)).sort_values("rho")
        color = PALETTE[index + 1]
        spread = [rows["min_f1"] - rows["min_f1_low"], rows["min_f1_high"] - rows["min_f1"]]
        axes.errorbar(
            rows["rho"],
            rows["min_f1"],
            yerr=[side.clip(0) for side in spread],
            fmt=f"{MARKERS[index]}-",
            ms=4,
            color=color,
            label=mode,
        )
        axes.plot(rows["rho"], rows["published_min_f1"], ":", lw=1, color=color)
    axes.plot([], [], ":", lw=1, color=INK, label="published")
    axes.set(xlabel="ρ", ylabel="minimum F1 (%)", ylim=(0, 100), xticks=np.arange(1, 10) / 10)
    axes.legend(loc="lower center", ncols=4, bbox_to_anchor=(0.5, 1.0))
    return figure
