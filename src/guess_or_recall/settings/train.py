"""Settings of the stage `train`."""

from typing import Annotated, Literal

from pydantic import Field

from guess_or_recall.settings.section import Part, Section
from guess_or_recall.settings.values import Count, Number, Seed


class Grid(Section):
    """The CNNs: every combination of these."""

    kernel: list[Count] = Field(min_length=1)
    features: list[Count] = Field(min_length=1)
    pooling: list[Literal["mean", "max"]] = Field(min_length=1)


class Train(Section):
    """The section `train`."""

    seed: Seed
    grid: Grid
    epochs: Count
    batch: Count
    learning_rate: Annotated[Number, Field(gt=0)]
    weight_decay: Annotated[Number, Field(ge=0)]
    dropout: Annotated[Number, Field(ge=0, lt=1)]
    wandb: Literal["offline", "online", "disabled"]


class TrainSettings(Part):
    """What the stage `train` reads."""

    train: Train
