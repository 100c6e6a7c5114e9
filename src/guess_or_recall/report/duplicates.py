"""How the memorized share grows with the duplicates of a sequence."""

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from guess_or_recall.report.planting import kinds
from guess_or_recall.report.style import MARKERS, PALETTE, STYLED, compact, new_figure
from guess_or_recall.statistics.intervals import wilson

MOST_BINS = 11


def bin_edges(duplicates: Int[np.ndarray, " n"]) -> Int[np.ndarray, " edges"]:
    """Powers of two (or four, eight, ...) from 1 to beyond the largest: at most 11 bins."""
    top = int(duplicates.max())
    base = 2
    while base**MOST_BINS <= top:
        base *= 2
    return np.array([base**k for k in range(MOST_BINS + 1) if k == 0 or base ** (k - 1) <= top])


def shares_by_duplicates(frame: pd.DataFrame) -> pd.DataFrame:
    """Count and bound the memorized share of each kind in each bin of duplicates.

    Args:
        frame: columns sequence_duplicates (int >= 1), memorized (bool), planted (kind or null).

    Returns:
        A row for each kind and bin that has sequences: kind, low (first count of the bin), high
        (its last), n, memorized (count), share, share_low, share_high (Wilson, 95%).
    """
    edges = bin_edges(frame["sequence_duplicates"].to_numpy())
    place = np.digitize(frame["sequence_duplicates"], edges) - 1
    grouped = frame["memorized"].groupby([kinds(frame.loc[:, "planted"]), place])
    table = grouped.agg(n="size", memorized="sum").rename_axis(["kind", "bin"]).reset_index()
    table["low"], table["high"] = edges[table["bin"]], edges[table["bin"] + 1] - 1
    table["share"] = table["memorized"] / table["n"]
    bounds = wilson(table["memorized"].to_numpy(), table["n"].to_numpy())
    return table.assign(share_low=bounds[0], share_high=bounds[1])


@STYLED
def memorized_by_duplicates(frame: pd.DataFrame) -> Figure:
    """Plot the memorized share against duplicates, a line for each planted kind.

    Args:
        frame: as for `shares_by_duplicates`.

    Points are shares within a bin of duplicates, bars their Wilson 95% intervals; the table
    below gives the number of sequences of each point.
    """
    table = shares_by_duplicates(frame)
    names = list(dict.fromkeys(table["kind"]))
    figure = new_figure(3.1 + 0.19 * len(names))
    upper, lower = figure.subplots(2, sharex=True, height_ratios=[2.6, 0.19 * len(names)])
    for index, kind in enumerate(names):
        draw_kind(upper, table.loc[table["kind"] == kind], index, (index + 0.5) / len(names) - 0.5)
    upper.set(ylim=(-3, 103), ylabel="memorized sequences (%)")
    upper.grid(axis="y", color="0.9", linewidth=0.6)
    upper.tick_params(axis="x", length=0)
    upper.spines["bottom"].set_visible(False)
    if len(names) > 1:
        upper.legend(title="planted as", loc="center left", bbox_to_anchor=(1, 0.5))
    draw_counts(lower, table, names)
    return figure


def bin_centres(table: pd.DataFrame) -> Float[np.ndarray, " bins"]:
    """The geometric middle of each bin, for a logarithmic axis."""
    return np.sqrt(table["low"].to_numpy(float) * (table["high"].to_numpy(float) + 1))


def draw_kind(axes: Axes, rows: pd.DataFrame, index: int, shift: float) -> None:
    """Draw one kind's shares; `shift` in (-.5, .5) keeps kinds of one bin apart."""
    rows = rows.set_index("bin")
    apart = ((rows["high"] + 1) / rows["low"]) ** (0.4 * shift)
    below, above = rows["share"] - rows["share_low"], rows["share_high"] - rows["share"]
    points = pd.DataFrame({"x": bin_centres(rows) * apart, "share": rows["share"]})
    points["below"], points["above"] = below.clip(0), above.clip(0)  # rounding leaves -1e-17
    points = points.reindex(np.arange(rows.index[0], rows.index[-1] + 1))  # gaps break the line
    axes.errorbar(
        points["x"],
        100 * points["share"],
        yerr=100 * points[["below", "above"]].to_numpy().T,
        color=PALETTE[(index + 1) % len(PALETTE)],
        marker=MARKERS[index % len(MARKERS)],
        markersize=4.5,
        capsize=2,
        linewidth=1.0,
        label=rows["kind"].iloc[0],
    )


def draw_counts(axes: Axes, table: pd.DataFrame, names: list[str]) -> None:
    """Write the number of sequences of each kind (row) and bin (column)."""
    for row in table.to_dict("records"):
        x = np.sqrt(row["low"] * (row["high"] + 1.0))
        y = names.index(row["kind"])
        axes.text(x, y, compact(row["n"]), ha="center", va="center", fontsize=8)
    bins = table.sort_values(by="low").drop_duplicates("low")
    spans = zip(bins["low"], bins["high"], strict=True)
    labels = [compact(a) if a == b else f"{compact(a)}–{compact(b)}" for a, b in spans]
    if max(map(len, labels)) > 7:
        labels = [label.replace("–", "–\n") for label in labels]
    axes.set_xscale("log", base=2)
    axes.set_xticks(bin_centres(bins), labels)
    axes.set_xticks([], minor=True)
    axes.set_xlim(0.9 * bins["low"].to_numpy()[0], 1.1 * bins["high"].to_numpy()[-1] + 1.1)
    axes.set_yticks(range(len(names)), [f"n, {name}" if len(names) > 1 else "n" for name in names])
    axes.set(ylim=(len(names) - 0.5, -0.5), xlabel="duplicates of the suffix (log scale)")
    axes.tick_params(length=0)
    axes.spines["left"].set_visible(False)
