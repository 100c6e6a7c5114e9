"""params.yaml as typed values: every stage starts with `read_params()`."""

import math
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    field_validator,
    model_validator,
)

from guess_or_recall.errors import UserError
from guess_or_recall.settings.profiles import require_written
from guess_or_recall.settings.values import (
    Batch,
    Count,
    Delta,
    How,
    Number,
    OwnThreshold,
    Seed,
    Threshold,
    Unit,
    code_detector,
    listed,
    low_to_high,
    number,
    rho_setting,
)


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


class SemanticFilters(Section):
    path: str | None
    revision: str
    model: Literal["70m", "160m", "410m", "1b", "1.4b", "2.8b", "6.9b", "12b"]


class Tokenizer(Section):
    source: Literal["train", "path"]
    path: str | None
    vocabulary: Annotated[Count, Field(ge=257)]
    train_mb: Annotated[Number, Field(gt=0)]


class Planting(Section):
    rouge_l: Annotated[tuple[Unit, Unit], AfterValidator(low_to_high)] = (0.0, 1.0)
    template: bool = False
    copies: dict[Count, Count]


class Sequences(Section):
    """The stage `sequences`."""

    source: Literal["packages", "files", "semantic-filters"]
    packages: list[str]
    files: Files
    semantic_filters: SemanticFilters
    tokenizer: Tokenizer
    background: Count
    planted: dict[str, Planting]
    studied: dict[str, Count]

    @model_validator(mode="after")
    def studied_kinds_exist(self) -> "Sequences":
        """Refuse to study a kind of window that is not planted."""
        if unknown := set(self.studied) - {"background", *self.planted}:
            kinds = ", ".join(["background", *self.planted])
            raise ValueError(f"studied: no kind {', '.join(sorted(unknown))} (there are {kinds})")
        return self


class ModelTraining(Section):
    layers: Count
    width: Count
    heads: Count
    epochs: Count
    batch: Count
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


class Hub(Section):
    name: Annotated[str, Field(min_length=1)]
    revision: Annotated[str, Field(min_length=1)]
    dtype: Literal["float32", "float16", "bfloat16"]
    device_map: Literal["single", "auto"]


class Model(Section):
    source: Literal["path", "hub", "train"]
    path: str
    hub: Hub
    train: ModelTraining


class Score(Section):
    source: Literal["model", "published"]
    recheck: Count
    decode: Literal["all", "pool"]
    batch: Batch
    decode_batch: Batch
    shard: Count


class Features(Section):
    is_code: Annotated[Literal["magika", "fasttext", "off"], PlainValidator(code_detector)]
    fasttext: str | None
    templates: Literal["computed", "published"]


class Samples(Section):
    train: Count
    eval: Count
    shortage: Literal["balance", "stop"]


class Pool(Section):
    taxonomies: Annotated[list[str], Field(min_length=1), BeforeValidator(listed)]
    deltas: list[Delta] = Field(min_length=1)
    rhos: list[Annotated[float | list, PlainValidator(rho_setting)]] = Field(min_length=1)

    def thresholds(self) -> list[tuple[float, float]]:
        """Pairs of ρ_l and ρ_3 (infinity is off): each number for both, then for one alone.

        The paper's 0.5 comes first, wherever it stands: the gallery shows the first variant.
        """
        numbers = sorted((rho for rho in self.rhos if isinstance(rho, float)), key=(0.5).__ne__)
        pairs = [
            [in_force(own, math.nan) for own in rho] for rho in self.rhos if isinstance(rho, list)
        ]
        alone = [(rho, math.inf) for rho in numbers] + [(math.inf, rho) for rho in numbers]
        return [(rho, rho) for rho in numbers] + alone + [(rho_l, rho_3) for rho_l, rho_3 in pairs]


class Attention(Section):
    batch: Batch
    shard: Count
    gallery: Count


class Grid(Section):
    kernel: list[Count] = Field(min_length=1)
    features: list[Count] = Field(min_length=1)
    pooling: list[Literal["mean", "max"]] = Field(min_length=1)


class Train(Section):
    seed: Seed
    grid: Grid
    epochs: Count
    batch: Count
    learning_rate: Annotated[Number, Field(gt=0)]
    weight_decay: Annotated[Number, Field(ge=0)]
    dropout: Annotated[Number, Field(ge=0, lt=1)]
    wandb: Literal["offline", "online", "disabled"]


class Evaluate(Section):
    bootstrap: Count


class Localize(Section):
    sequences: Count
    gradients: Literal["guided", "plain"]
    batch: Count
    bootstrap: Count


class Ablate(Section):
    sequences: Count
    cuts: dict[How, Annotated[list[Count], Field(min_length=1)]]
    diagonal: Annotated[int, Field(ge=0, lt=64), BeforeValidator(number)]
    random: Annotated[int, Field(ge=0), BeforeValidator(number)]
    batch: Count
    bootstrap: Count

    @field_validator("cuts", mode="before")
    @classmethod
    def off_is_a_word(cls, cuts: object) -> object:
        """Let YAML 1.1's false stand for off."""
        if not isinstance(cuts, dict):
            return cuts
        return {"off" if how is False else how: widths for how, widths in cuts.items()}

    @model_validator(mode="after")
    def single_layers_are_silenced(self) -> "Ablate":
        """The summary and the figures speak of each layer switched off alone."""
        if 1 not in self.cuts.get("off", []):
            raise ValueError("cuts: give off a list with 1, such as off: [1]")
        return self


class Figures(Section):
    flow_from: str


class Params(Section):
    """The whole of params.yaml."""

    profile: str
    seed: Seed
    taxonomy: str
    delta: Delta
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
    localize: Localize
    ablate: Ablate
    figures: Figures

    @model_validator(mode="after")
    def published_values_exist(self) -> "Params":
        """Refuse to take over values that the source of the sequences has not."""
        source = self.sequences.source
        asked = {
            "score.source": (self.score.source, "model"),
            "features.templates": (self.features.templates, "computed"),
        }
        for key, (value, instead) in asked.items():
            if value == "published" and source != "semantic-filters":
                raise ValueError(
                    f"{key} = 'published': sequences.source {source} has no published values, only "
                    f"semantic-filters has: set {key} to {instead}"
                )
        return self

    @model_validator(mode="after")
    def training_has_a_stream(self) -> "Params":
        """Refuse to train a model where the training stream is not known."""
        if self.model.source == "train" and self.sequences.source == "semantic-filters":
            raise ValueError(
                "model.source = 'train': sequences.source semantic-filters has no training stream: "
                "set model.source to path"
            )
        return self

    def threshold(self, which: Literal["rho_l", "rho_3"]) -> float:
        """The ROUGE threshold in force; infinity where it is switched off."""
        return in_force(getattr(self, which), self.rho)


def in_force(own: float | str, rho: float) -> float:
    """Resolve a threshold: a number, `rho` (the common one) or `off` (infinity)."""
    if own == "off":
        return math.inf
    return rho if own == "rho" else float(own)


class UniqueKeys(yaml.SafeLoader):
    """A YAML loader that refuses a key given twice, where PyYAML silently keeps the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        """Read a mapping."""
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key '{key}' is given twice", node.start_mark
                )
        return super().construct_mapping(node, deep)


def read_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check params.yaml.

    Raises:
        UserError: a key is unknown or missing, or a value is not allowed (all are named).
    """
    if not path.exists():
        raise UserError(f"{path} is missing: run from the repository's root")
    text = path.read_text()
    params = parse_params(text, str(path))
    require_written(params.profile, yaml.safe_load(text))
    return params


def parse_params(text: str, origin: str) -> Params:
    """Check the text of a params.yaml; `origin` is named in errors."""
    try:
        return Params.model_validate(yaml.load(text, UniqueKeys))
    except yaml.YAMLError as error:
        raise UserError(f"{origin} is not valid YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        raise UserError(f"{origin}: " + "; ".join(map(complaint, error.errors()))) from None


def complaint(error) -> str:
    """One line about one wrong value, as pydantic reports it."""
    key = ".".join(map(str, error["loc"])) or "the file"
    if error["type"] == "missing":
        return f"{key} is missing"
    if error["type"] == "extra_forbidden":
        return f"unknown key {key}"
    section = isinstance(error["input"], dict) and error["input"]  # too long to be shown
    value = "" if section else f" = {error['input']!r}"
    return f"{key}{value}: {error['msg'].removeprefix('Value error, ')}"
