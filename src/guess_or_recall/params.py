"""params.yaml as typed values: every stage starts with `read_params()`."""

import math
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from guess_or_recall.errors import UserError

Count = Annotated[int, Field(ge=1)]
Unit = Annotated[float, Field(ge=0, le=1)]
Threshold = Annotated[float, Field(gt=0, le=1)]
OwnThreshold = Threshold | Literal["rho", "off"] | Literal[False]  # YAML 1.1 reads off as false


class Section(BaseModel):
    """A part of params.yaml: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Tree(Section):
    """A taxonomy that the user declares."""

    nodes: dict[str, str] = Field(min_length=1)
    others: str = "others"


class Files(Section):
    path: str
    text: str


class Tokenizer(Section):
    source: Literal["train", "path"]
    path: str | None
    vocabulary: Annotated[int, Field(ge=257)]
    train_mb: Annotated[float, Field(gt=0)]


class Planting(Section):
    rouge_l: tuple[Unit, Unit]
    copies: dict[Count, Count]


class Sequences(Section):
    source: Literal["packages", "files"]
    packages: list[str]
    files: Files
    tokenizer: Tokenizer
    background: Count
    candidates: Count
    planted: dict[str, Planting]


class ModelTraining(Section):
    layers: Count
    width: Count
    heads: Count
    epochs: Count
    batch: Count
    learning_rate: Annotated[float, Field(gt=0)]
    weight_decay: Annotated[float, Field(ge=0)]


class Model(Section):
    source: Literal["path", "train"]
    path: str
    train: ModelTraining


class Score(Section):
    batch: Count


class Features(Section):
    is_code: Literal["magika", "off"] | Literal[False]


class Samples(Section):
    train: Count
    eval: Count
    shortage: Literal["balance", "stop"]


class Pool(Section):
    taxonomies: list[str] = Field(min_length=1)
    deltas: list[Annotated[int, Field(ge=0)]] = Field(min_length=1)
    rhos: list[Threshold] = Field(min_length=1)


class Attention(Section):
    batch: Count
    shard: Count
    gallery: Count


class Grid(Section):
    kernel: list[Count] = Field(min_length=1)
    features: list[Count] = Field(min_length=1)
    pooling: list[Literal["mean", "max"]] = Field(min_length=1)


class Train(Section):
    grid: Grid
    epochs: Count
    batch: Count
    learning_rate: Annotated[float, Field(gt=0)]
    weight_decay: Annotated[float, Field(ge=0)]
    dropout: Annotated[float, Field(ge=0, lt=1)]
    wandb: Literal["offline", "online", "disabled"]


class Evaluate(Section):
    bootstrap: Count


class Figures(Section):
    flow_from: str


class Params(Section):
    """The whole of params.yaml."""

    profile: str
    seed: Annotated[int, Field(ge=0)]
    taxonomy: str
    delta: Annotated[int, Field(ge=0)]
    rho: Threshold
    rho_l: OwnThreshold
    rho_3: OwnThreshold
    taxonomies: dict[str, Tree]
    sequences: Sequences
    model: Model
    score: Score
    features: Features
    samples: Samples
    pool: Pool
    attention: Attention
    train: Train
    evaluate: Evaluate
    figures: Figures

    def threshold(self, which: Literal["rho_l", "rho_3"]) -> float:
        """The ROUGE threshold in force; infinity where it is switched off."""
        own = getattr(self, which)
        if own in ("off", False):
            return math.inf
        return self.rho if own == "rho" else own


def read_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check params.yaml.

    Raises:
        UserError: a key is unknown or missing, or a value is not allowed (all are named).
    """
    if not path.exists():
        raise UserError(f"{path} is missing: run from the repository's root")
    try:
        return Params.model_validate(yaml.safe_load(path.read_text()))
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        raise UserError(f"{path}: " + "; ".join(map(complaint, error.errors()))) from None


def complaint(error) -> str:
    """One line about one wrong value, as pydantic reports it."""
    key = ".".join(map(str, error["loc"]))
    return f"{key} = {error['input']!r}: {error['msg']}"
