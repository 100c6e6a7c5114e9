"""ROUGE-L between prefix and suffix, of memorized and of non-memorized sequences."""

import math

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from guess_or_recall.report.style import INK, PALETTE, STYLED, new_figure, percent


@STYLED
def rouge_distribution(
    rouge_l: Float[np.ndarray, " n"],
    memorized: Bool[np.ndarray, " n"],
    threshold: float,
    tokens: int,
) -> Figure:
    """Plot the distribution of ROUGE-L, with the threshold ρ above which a sequence is guessed.

    Args:
        rouge_l: F-measure between prefix and suffix, in [0, 1]: twice the length of the
            longest common subsequence, over the tokens of both.
        memorized: whether the model extracts the sequence.
        threshold: ρ for ROUGE-L; infinity where it is switched off.
        tokens: of prefix and suffix together. Every value that can be reached has a bin.
    """
    figure = new_figure(2.7)
    axes = figure.subplots()
    edges = (np.arange(-(-tokens // 2) + 2) - 0.5) * (2 / tokens)
    for name, rows, color in (
        ("non-memorized", ~memorized, PALETTE[0]),
        ("memorized", memorized, PALETTE[1]),
    ):
        label = f"{name}, n = {rows.sum():,}"
        if math.isfinite(threshold):
            label += f"\n{percent((rouge_l[rows] >= threshold).sum(), rows.sum())} at ρ or above"
        counts = np.histogram(rouge_l[rows], edges)[0]
        shares = 100 * counts / max(rows.sum(), 1)
        axes.stairs(shares, edges, fill=True, color=color, alpha=0.25)
        axes.stairs(shares, edges, color=color, linewidth=1.3, label=label)
    axes.set(xlim=(edges[0], edges[-1]), xlabel="ROUGE-L of prefix and suffix (F-measure)")
    axes.set(ylim=(0, None), ylabel="sequences of the group (%)")
    draw_threshold(axes, threshold)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), labelspacing=1.2)
    return figure


def draw_threshold(axes: Axes, threshold: float) -> None:
    """Mark ρ, or say that it is off."""
    if not math.isfinite(threshold):
        axes.set_title("ROUGE-L threshold off", loc="right", fontsize=8)
        return
    axes.axvline(threshold, color=INK, linestyle="--", linewidth=1)
    above = axes.get_xaxis_transform()
    axes.text(threshold, 1.01, f"ρ = {threshold:g}", transform=above, ha="center", va="bottom")
