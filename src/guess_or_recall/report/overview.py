"""The method in one drawing: `python -m guess_or_recall.report.overview > docs/overview.svg`.

From a sequence to its class, its attention, the CNN and Δ. The picture is a sketch: its attention
patterns are formulas, not data. Its colours follow the reader's light or dark scheme.
"""

import math
import sys
from collections.abc import Iterable

from guess_or_recall.report.svg import (
    ARROWHEAD,
    CELL,
    CELLS,
    arrow,
    box,
    cell,
    name,
    panel,
    paragraph,
    style,
    triangle,
    words,
)

WIDTH, HEIGHT = 960, 520  # pixels
CLASSES = ("non-memorized", "guess", "recall")


def overview() -> str:
    """Draw the whole method as the text of an SVG file; the same bytes at every call."""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img">',
        "<title>From a sequence to its class, its attention, the CNN and Δ</title>",
        f"<style>\n{style()}</style>",
        ARROWHEAD,
        box(0.5, 0.5, WIDTH - 1, HEIGHT - 1, "card"),
        *sequence_panel(),
        *model_panel(),
        *taxonomy_panel(),
        *attention_panel(),
        *cnn_panel(),
        *agreement_panel(),
        *delta_panel(),
        *connections(),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def diagonal(query: int, key: int) -> float:
    """Attend to the tokens just before."""
    return math.exp(-(query - key) / 1.6)


def band(query: int, key: int) -> float:
    """Attend from the suffix to the same place in the prefix."""
    return math.exp(-abs(query - key - CELLS / 2) / 1.1)


def first(query: int, key: int) -> float:
    """Attend to the first token, and a little to all."""
    return 0.75 if key == 0 else 0.16 + 0.5 * diagonal(query, key)


def sequence_panel() -> Iterable[str]:
    """Draw a sequence: a prefix and a suffix of tokens."""
    yield from panel(20, 20, 215, 178, "1  A sequence")
    for row, color in enumerate(("attention", "suffix")):
        y = 72 + 42 * row
        yield words(34, y, ("prefix", "suffix")[row], "fill-ink")
        for token in range(16):
            yield cell(34 + 11.6 * token, y + 8, 10, color, 0.45 + 0.25 * (token * 7 % 3))
    yield words(34, 168, "consecutive tokens of the")
    yield words(34, 186, "model’s training data")


def model_panel() -> Iterable[str]:
    """Draw what the language model does with the prefix."""
    yield from panel(275, 20, 215, 178, "2  The language model")
    yield from paragraph(289, 74, "continues the prefix by", "greedy decoding.")
    yield from paragraph(
        289, 128, "Memorized (extractable) if", "it reproduces the suffix", "exactly."
    )


def taxonomy_panel() -> Iterable[str]:
    """Draw the taxonomy `guess` as a tree."""
    yield from panel(530, 20, 410, 178, "3  A taxonomy sorts the memorized sequences")
    yield box(544, 62, 190, 34, "card")
    yield words(639, 84, "memorized?", "fill-ink", "middle")
    yield box(544, 128, 190, 52, "card")
    yield words(639, 149, "a template, or suffix", "fill-ink", "middle")
    yield words(639, 168, "similar to prefix?", "fill-ink", "middle")
    for label, y in zip(CLASSES, (84, 144, 176), strict=True):
        yield from name(806, y, label)
    yield from (arrow((734, 79), (798, 79)), words(766, 73, "no", anchor="middle"))
    yield from (arrow((639, 96), (639, 127)), words(648, 117, "yes"))
    yield from (arrow((734, 139), (798, 139)), words(766, 133, "yes", anchor="middle"))
    yield from (arrow((734, 171), (798, 171)), words(766, 165, "no", anchor="middle"))


def attention_panel() -> Iterable[str]:
    """Draw the attention patterns of three layers, one behind the other."""
    yield from panel(20, 270, 215, 230, "4  Attention patterns")
    for layer, pattern in enumerate((first, band, diagonal)):
        x, y = 40 + 42 * layer, 354 - 20 * layer
        side = CELLS * CELL + 8
        yield box(x - 4, y - 4, side, side, "card")
        yield from triangle(x, y, pattern, "attention")
    yield words(34, 472, "one of each layer: the mean")
    yield words(34, 489, "or maximum over its heads")


def cnn_panel() -> Iterable[str]:
    """Draw a CNN as maps that become smaller, and its three outputs."""
    yield from panel(255, 270, 215, 230, "5  A small CNN")
    for stage, (x, side) in enumerate(((272, 66), (322, 44), (364, 26))):
        for depth in range(3):
            yield box(x + 5 * depth, 376 - side / 2 - 5 * depth, side, side, "card")
        if stage < 2:
            yield cell(x + 16, 376 - 6, 14, "edge")
    for label, y, length in zip(CLASSES, (350, 371, 392), (10, 16, 44), strict=True):
        bar = f'<rect x="412" y="{y}" width="{length}" height="12" class="fill-{label}"/>'
        yield bar
    yield words(269, 455, "predicts the class of a")
    yield words(269, 472, "sequence from its attention")
    yield words(269, 489, "patterns alone")


def agreement_panel() -> Iterable[str]:
    """Draw a confusion matrix with a strong diagonal."""
    yield from panel(490, 270, 215, 230, "6  Does it fit?")
    for actual, label in enumerate(CLASSES):
        y = 318 + 36 * actual
        yield cell(528, y + 10, 12, label)
        yield cell(559 + 36 * actual, 428, 12, label)
        for predicted in range(3):
            share = 0.85 if actual == predicted else 0.14 + 0.06 * ((actual + predicted) % 2)
            yield cell(548 + 36 * predicted, y, 34, "attention", share)
    yield words(504, 472, "Minimum F1 of the classes:")
    yield words(504, 489, "do they show in attention?")


def delta_panel() -> Iterable[str]:
    """Draw where the CNN looks, for two classes."""
    yield from panel(725, 270, 215, 230, "7  Where is it?")
    for label, pattern, x in (("guess", band, 737), ("recall", diagonal, 839)):
        yield from triangle(x - 3, 340, lambda *_: 0.13, "attention")
        yield from triangle(x - 3, 340, pattern, label)
        yield from name(x + 12, 326, label)
    yield words(739, 455, "Δ: where CNNs see a class.")
    yield words(739, 472, "Ablation: is it reproduced")
    yield words(739, 489, "without that attention?")


def connections() -> Iterable[str]:
    """Draw the arrows between the panels."""
    yield arrow((235, 109), (273, 109))
    yield arrow((490, 109), (528, 109))
    yield arrow((382, 198), (382, 234), (127, 234), (127, 268))
    yield words(142, 258, "one pass over the tokens")
    yield arrow((597, 198), (597, 268))
    yield words(609, 238, "classes: what the CNN learns from,")
    yield words(609, 256, "and what it is tested on")
    for x in (235, 470):
        yield arrow((x, 385), (x + 18, 385))
    yield arrow((705, 385), (723, 385))


if __name__ == "__main__":
    sys.stdout.write(overview())
