"""The suffix of a text beside the model's own continuation, and where the two part."""

from collections.abc import Iterator
from itertools import zip_longest
from typing import NamedTuple

import numpy as np
from jaxtyping import Int
from transformers import PreTrainedTokenizerFast

from guess_or_recall.corpus.tokenizer import decode
from guess_or_recall.report.sequence import VISIBLE


class Parting(NamedTuple):
    """Two suffixes of one prefix."""

    true: str  # of the text
    continued: str  # by the model
    place: int | None  # of the first token of the suffix that they do not share
    tokens: tuple[str, ...] = ()  # there, of either

    @property
    def rest(self) -> str:
        """The text from the first character on that the model does not give."""
        return self.true[first_difference(self.true, self.continued) :]


def parting(
    tokenizer: PreTrainedTokenizerFast,
    true: Int[np.ndarray, " suffix"],
    continued: Int[np.ndarray, " suffix"],
) -> Parting:
    """Compare the tokens of a suffix with those that the model gives in its place."""
    both, differing = np.stack([true, continued]), np.flatnonzero(true != continued)
    texts = decode(tokenizer, both)
    if not len(differing):
        return Parting(texts[0], texts[1], None)
    place = int(differing[0])
    return Parting(texts[0], texts[1], place, tuple(decode(tokenizer, both[:, [place]])))


def suffixes(parting: Parting, prefix: int) -> Iterator[str]:
    """Lines that show both suffixes, and say where they part.

    Args:
        parting: of the suffixes.
        prefix: tokens in front of them.
    """
    yield f"suffix of the text:       {on_one_line(parting.true)}"
    if parting.place is None:
        yield "the model's continuation: the same, they never part"
        return
    yield f"the model's continuation: {on_one_line(parting.continued)}"
    here, there = map(on_one_line, parting.tokens)
    number = parting.place + 1
    yield (
        f"they part at token {number} of the suffix ({prefix + number} of the sequence), ‹{here}› "
        f"in the text and ‹{there}› of the model, {characters(parting.true, parting.continued)}"
    )


def characters(true: str, continued: str) -> str:
    """At which character two texts part; different tokens may stand for the same ones."""
    if true == continued:
        return "in the same characters"
    return f"and at character {first_difference(true, continued) + 1} of the suffix"


def first_difference(true: str, continued: str) -> int:
    """The place of the first character that two texts do not share; their length where none is."""
    pairs = enumerate(zip_longest(true, continued))
    return next((place for place, pair in pairs if pair[0] != pair[1]), len(true))


def on_one_line(text: str) -> str:
    """A text as it can be printed on one line of a terminal, its blanks as they are."""
    visible = text.translate({place: sign for place, sign in VISIBLE.items() if place != ord(" ")})
    return "".join(c if c.isprintable() else "□" for c in visible)
