"""Whether the CNNs are above chance; what stands in the place of Δ where they are not."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from guess_or_recall.errors import UserError, first_line
from guess_or_recall.io.checksums import damaged
from guess_or_recall.io.files import read_json
from guess_or_recall.io.paths import TRAIN, metrics_of
from guess_or_recall.report.style import STYLED, drawing


def not_above_chance(evaluation: dict, classes: int) -> str | None:
    """Two lines that say why Δ means nothing; None where the CNNs are above chance.

    Args:
        evaluation: of metrics/evaluate.json.
        classes: number of classes.
    """
    if evaluation["above_chance"]:
        return None
    least, low, high = (evaluation["last_epoch"][f"min_f1{end}"] for end in ("", "_low", "_high"))
    return (
        "Not drawn: the CNNs are not above chance, so that Δ means nothing.\n"
        f"Their minimum F1 is {least:.2f}, its 95% interval {low:.2f} to {high:.2f}; "
        f"chance is {1 / classes:.2f}."
    )


def notice_of(classes: Sequence[str]) -> str | None:
    """What `not_above_chance` says of the CNNs of data/train, as the stage `evaluate` found them.

    Args:
        classes: that the CNNs tell apart.

    Raises:
        UserError: they were not evaluated, or of other classes.
    """
    path = metrics_of("evaluate")
    evaluation = read_json(path, "last_epoch", "above_chance", "per_class")
    try:
        names = list(evaluation["per_class"]["last_epoch"])
        notice = not_above_chance(evaluation, len(classes))
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(path, f"no metrics of `evaluate` ({first_line(error)})") from None
    if {*names} != {*classes}:
        raise UserError(
            f"{path} is of the classes {', '.join(names)}, {TRAIN} of {', '.join(classes)}: dvc "
            "repro evaluate"
        )
    return notice


@STYLED
def notice_page(notice: str) -> Figure:
    """A page in the place of a figure that would mean nothing."""
    figure, axes = drawing(1.4)
    axes.text(0.3, 0.7, notice, va="center")
    return figure
