"""Settings of the stage `sequences`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from guess_or_recall.settings.lengths import SEMANTIC_FILTERS, Lengths
from guess_or_recall.settings.names import FileName, Label
from guess_or_recall.settings.section import Part, Section
from guess_or_recall.settings.values import (
    Count,
    Number,
    Rows,
    Seed,
    Text,
    Unit,
    at_most,
    encoding,
    low_to_high,
)

Encoding = Annotated[str, AfterValidator(encoding)]
SpecialTokens = Literal["text", "tokens"]  # what the text of a special token is encoded as


class Files(Section):
    """A corpus of the user's own."""

    path: Annotated[Text, Field(min_length=1)]
    text: Text
    encoding: Encoding = "auto"
    special_tokens: SpecialTokens = "text"


class SemanticFilters(Section):
    """The data set of the paper, of the hub or in a folder."""

    source: Literal["hub", "path"]
    path: Text
    revision: Text
    model: Literal["70m", "160m", "410m", "1b", "1.4b", "2.8b", "6.9b", "12b"]


class Tokenizer(Section):
    """Trained on the corpus, or that of a model."""

    source: Literal["train", "path"]
    path: Text
    vocabulary: Annotated[
        Count, Field(ge=257), at_most(2**20, "the largest vocabularies in use have 262,144 tokens")
    ]
    train_mb: Annotated[
        Number, Field(gt=0), at_most(10_000, "the text to train on is held in memory")
    ]


class Planting(Section):
    """A kind of windows that the training stream repeats."""

    rouge_l: Annotated[tuple[Unit, Unit], AfterValidator(low_to_high)] = (0.0, 1.0)
    template: bool = False
    copies: dict[Annotated[Count, at_most(10**6, "each is a window of every epoch")], Rows]


class Sequences(Lengths, Section):
    """The section `sequences`."""

    source: Literal["packages", "files", "semantic-filters"]
    packages: list[FileName]
    files: Files
    semantic_filters: SemanticFilters
    tokenizer: Tokenizer
    background: Rows
    planted: dict[Label, Planting]
    studied: dict[Label, Rows]

    @property
    def special_tokens(self) -> SpecialTokens:
        """How special tokens in a text are encoded: as text, where the settings do not differ.

        The stream of the packages, on which the shipped model was trained, holds tokens.
        """
        of_sources: dict[str, SpecialTokens] = {
            "packages": "tokens",
            "files": self.files.special_tokens,
        }
        return of_sources.get(self.source, "text")

    @model_validator(mode="after")
    def studied_kinds_exist(self) -> "Sequences":
        """Refuse to study a kind of window that is not planted."""
        if unknown := set(self.studied) - {"background", *self.planted}:
            kinds = ", ".join(["background", *self.planted])
            raise ValueError(f"studied: no kind {', '.join(sorted(unknown))} (there are {kinds})")
        return self

    @model_validator(mode="after")
    def the_data_set_has_its_lengths(self) -> "Sequences":
        """Refuse other lengths than those of the published sequences."""
        prefix, suffix = SEMANTIC_FILTERS.prefix, SEMANTIC_FILTERS.suffix
        if self.source == "semantic-filters" and (self.prefix, self.suffix) != (prefix, suffix):
            raise ValueError(
                f"prefix = {self.prefix}, suffix = {self.suffix}: the sequences of "
                f"semantic-filters have a prefix of {prefix} tokens and a suffix of {suffix}: "
                "set both so"
            )
        return self


class SequencesSettings(Part):
    """What the stage `sequences` reads."""

    seed: Seed
    sequences: Sequences
