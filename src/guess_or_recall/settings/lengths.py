"""The lengths of prefix and suffix, in tokens: the one definition that everything reads."""

from typing import Annotated

from guess_or_recall.settings.section import Part
from guess_or_recall.settings.values import Count, at_most

LONGEST = 2048  # tokens of a prefix or a suffix
Tokens = Annotated[Count, at_most(LONGEST, "a pattern has a cell for each pair of tokens")]


class Lengths(Part):
    """`sequences.prefix` and `sequences.suffix` of params.yaml."""

    prefix: Tokens
    suffix: Tokens

    @property
    def total(self) -> int:
        """Tokens of a sequence."""
        return self.prefix + self.suffix


class LengthSettings(Part):
    """The lengths, as a stage reads them that reads nothing else of `sequences`."""

    sequences: Lengths


SEMANTIC_FILTERS = Lengths(prefix=32, suffix=32)  # of the published sequences
