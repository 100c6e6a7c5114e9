"""Settings of the stage `model`."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from guess_or_recall.settings.lengths import LengthSettings
from guess_or_recall.settings.section import Section
from guess_or_recall.settings.values import Count, Number, Seed, Text, Together, at_most


class ModelTraining(Section):
    """A GPT-NeoX of one's own."""

    layers: Annotated[Count, at_most(200, "the deepest models in use have 126 layers")]
    width: Annotated[Count, at_most(2**16, "the widest models in use have 16,384 numbers a token")]
    heads: Count  # at most the width
    epochs: Annotated[Count, at_most(10_000, "each shows the whole training stream")]
    batch: Together
    learning_rate: Annotated[Number, Field(gt=0)]
    weight_decay: Annotated[Number, Field(ge=0)]

    @model_validator(mode="after")
    def heads_share_the_width(self) -> "ModelTraining":
        """Refuse heads of unequal width."""
        if self.width % self.heads:
            raise ValueError(
                f"width = {self.width} is not a multiple of heads = {self.heads}: change either"
            )
        return self


Dtype = Literal["float32", "float16", "bfloat16"]
Bos = Literal["auto", "always", "never"]  # whether a BOS token stands in front of a sequence


class Hub(Section):
    """A model of the Hugging Face hub."""

    name: Annotated[Text, Field(min_length=1)]
    revision: Annotated[Text, Field(min_length=1)]
    dtype: Dtype
    device_map: Literal["single", "auto"]


class Model(Section):
    """The section `model`."""

    source: Literal["path", "hub", "train"]
    path: Text
    dtype: Dtype
    bos: Bos
    hub: Hub
    train: ModelTraining

    @model_validator(mode="after")
    def nothing_is_trained_behind_a_bos_token(self) -> "Model":
        """Refuse to show a model a token that its training never shows it."""
        if self.source == "train" and self.bos == "always":
            raise ValueError(
                "bos = 'always': a model that is trained here sees no BOS token in training: set "
                "it to auto or never"
            )
        return self


class ModelSettings(LengthSettings):
    """What the stage `model` reads."""

    seed: Seed
    model: Model
