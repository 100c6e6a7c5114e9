"""A page in the place of a figure that would mean nothing."""

from matplotlib.figure import Figure

from guess_or_recall.report.style import STYLED, drawing


@STYLED
def not_above_chance(chance: dict) -> Figure:
    """Say that maps are not drawn because the CNNs are not above chance.

    Args:
        chance: min_f1, min_f1_low, min_f1_high and chance, as data/evaluate/chance.json has them.
    """
    figure, axes = drawing(1.4)
    low, high = chance["min_f1_low"], chance["min_f1_high"]
    axes.text(
        0.3,
        0.7,
        "Not drawn: the CNNs are not above chance, so that \u0394 means nothing.\n"
        f"Their minimum F1 is {chance['min_f1']:.2f}, its 95% interval {low:.2f} to {high:.2f}; "
        f"chance is {chance['chance']:.2f}.",
        va="center",
    )
    return figure
