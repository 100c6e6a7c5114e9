"""A page in the place of a figure that would mean nothing."""

from matplotlib.figure import Figure

from guess_or_recall.report.style import STYLED, drawing


@STYLED
def not_above_chance(last_epoch: dict[str, float], classes: int) -> Figure:
    """Say that maps are not drawn because the CNNs are not above chance.

    Args:
        last_epoch: `min_f1`, `min_f1_low` and `min_f1_high`, as metrics/evaluate.json has them.
        classes: number of classes.
    """
    figure, axes = drawing(1.4)
    least, low, high = (last_epoch[f"min_f1{end}"] for end in ("", "_low", "_high"))
    axes.text(
        0.3,
        0.7,
        "Not drawn: the CNNs are not above chance, so that \u0394 means nothing.\n"
        f"Their minimum F1 is {least:.2f}, its 95% interval {low:.2f} to {high:.2f}; "
        f"chance is {1 / classes:.2f}.",
        va="center",
    )
    return figure
