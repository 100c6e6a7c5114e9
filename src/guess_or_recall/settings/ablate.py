"""Settings of the stage `ablate`."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from guess_or_recall.errors import UserError
from guess_or_recall.settings.lengths import LengthSettings
from guess_or_recall.settings.section import Section
from guess_or_recall.settings.values import Count, Draws, Rows, Seed, Together, at_most, number

How = Literal[  # an attention pattern is cut
    "off",
    "only-diagonal",
    "all-but-diagonal",
    "only-prefix-to-suffix",
    "all-but-prefix-to-suffix",
]
Window = Annotated[Count, at_most(200, "the deepest models in use have 126 layers")]


class Ablate(Section):
    """The section `ablate`."""

    sequences: Rows
    cuts: dict[How, Annotated[list[Window], Field(min_length=1, max_length=200)]]
    diagonal: Annotated[int, Field(ge=0), BeforeValidator(number)]
    random: Annotated[
        int, Field(ge=0), BeforeValidator(number), at_most(1000, "the model runs once for each")
    ]
    batch: Together
    bootstrap: Draws

    @model_validator(mode="after")
    def single_layers_are_silenced(self) -> "Ablate":
        """The summary and the figures speak of each layer switched off alone."""
        if 1 not in self.cuts.get("off", []):
            raise ValueError("cuts: give off a list with 1, such as off: [1]")
        return self

    @model_validator(mode="after")
    def windows_are_cut_once(self) -> "Ablate":
        """A window that is listed twice would count twice in tables and correlations."""
        for how, widths in self.cuts.items():
            if len({*widths}) < len(widths):
                raise ValueError(f"cuts.{how} = {widths}: give each number of layers once")
        return self


def require_windows(cuts: Mapping[How, list[int]], layers: int) -> None:
    """Raise UserError where more layers in a row are to be cut than have attention."""
    for how, widths in cuts.items():
        if max(widths) > layers:
            raise UserError(
                f"ablate.cuts.{how} = {max(widths)} layers in a row: the model has attention in "
                f"{layers} layers: give at most {layers}"
            )


class AblateSettings(LengthSettings):
    """What the stage `ablate` reads."""

    seed: Seed
    ablate: Ablate

    @model_validator(mode="after")
    def a_diagonal_is_narrower_than_a_sequence(self) -> "AblateSettings":
        """Refuse a diagonal that is the whole pattern."""
        if self.ablate.diagonal >= self.sequences.total:
            raise ValueError(
                f"ablate.diagonal = {self.ablate.diagonal}: give less than the "
                f"{self.sequences.total} tokens of a sequence"
            )
        return self
