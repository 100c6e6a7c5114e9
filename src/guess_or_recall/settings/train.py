"""Settings of the stage `train`."""

from typing import Annotated, Literal

from pydantic import Field

from guess_or_recall.settings.section import Part, Section
from guess_or_recall.settings.values import Count, Number, Seed, Together, at_most


class Grid(Section):
    """The CNNs: every combination of these."""

    kernel: list[Count] = Field(min_length=1, max_length=20)
    features: list[Annotated[Count, at_most(4096, "every layer is one input of each")]] = Field(
        min_length=1, max_length=20
    )
    pooling: list[Literal["mean", "max"]] = Field(min_length=1, max_length=2)


class Train(Section):
    """The section `train`."""

    seed: Seed
    grid: Grid
    epochs: Annotated[Count, at_most(10_000, "the state of each is kept")]
    batch: Together
    learning_rate: Annotated[Number, Field(gt=0)]
    weight_decay: Annotated[Number, Field(ge=0)]
    dropout: Annotated[Number, Field(ge=0, lt=1)]
    wandb: Literal["offline", "online", "disabled"]


class TrainSettings(Part):
    """What the stage `train` reads."""

    train: Train
