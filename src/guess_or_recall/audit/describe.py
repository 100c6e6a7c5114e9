"""An examination in words, for a terminal."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Float, Float32
from rich.table import Table
from rich.text import Text

from guess_or_recall.audit.examine import Examination
from guess_or_recall.features.columns import COLUMNS
from guess_or_recall.report.sequence import shown
from guess_or_recall.report.tree import condition_text

SHOWN = ("sequence_duplicates", *COLUMNS)


def memorization(examination: Examination, prefix: int) -> str:
    """Whether a sequence is memorized, and its memorization score."""
    score = examination.features["memorization_score"]
    verdict = f"memorized ({prefix}-extractable)" if score == 1 else "not memorized"
    return f"{verdict}, memorization score {score:.2f}"


def features(examination: Examination) -> str:
    """The features in one line."""
    return "  ".join(f"{name} {brief(examination.features[name])}" for name in SHOWN)


def brief(value: float | bool) -> str:
    """A feature in a few characters."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}"


def way_through(examination: Examination, thresholds: Mapping[str, float]) -> Iterator[str]:
    """The conditions of the taxonomy, down to the one that gives the sequence its class."""
    classes, label = examination.tree.classes, examination.label
    conditions = ["memorization_score < 1", *(text for _, text in examination.tree.nodes)]
    for index, condition in enumerate(conditions[: label + 1]):
        answer = f"yes → {classes[label]}" if index == label else "no"
        yield f"{condition_text(condition, thresholds)}?  {answer}"
    if label == len(conditions):
        yield f"none → {classes[label]}"


def chances_table(
    chances: Mapping[str, Float32[np.ndarray, " classes"]], classes: Sequence[str]
) -> Table:
    """The probability of each class by each CNN, and the mean over CNNs."""
    table = Table("CNN", *classes, title="probability of each class, by the CNNs")
    for name, probabilities in chances.items():
        table.add_row(name, *(f"{value:.2f}" for value in probabilities))
    table.add_section()
    mean = np.mean(list(chances.values()), 0)
    table.add_row("mean", *(f"{value:.2f}" for value in mean), style="bold")
    return table


def looked_at(words: list[str], delta: Float[np.ndarray, "layers query key"], prefix: int) -> Text:
    """The tokens, darker the more Δ falls on them as keys; a bar parts prefix and suffix."""
    weights = delta.sum((0, 1))
    shares = weights / (weights.max() or 1)
    text = Text("tokens as the CNNs attend to them (keys, darker: more Δ):\n")
    for position, (word, share) in enumerate(zip(words, shares, strict=True)):
        if position == prefix:
            text.append(" ‖ ", style="bold blue")
        blue = int(255 * (1 - share))
        text.append(shown(word), style=f"black on rgb(255,{max(blue, 110)},{blue})")
        text.append(" ")
    return text
