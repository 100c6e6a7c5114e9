"""The whole of params.yaml as typed values: what all stages read, and what must fit together."""

from pathlib import Path

from pydantic import ConfigDict, model_validator

from guess_or_recall.settings.ablate import AblateSettings
from guess_or_recall.settings.attention import Attention, AttentionSettings
from guess_or_recall.settings.checking import require_trees
from guess_or_recall.settings.evaluate import EvaluateSettings
from guess_or_recall.settings.features import FeaturesSettings
from guess_or_recall.settings.figures import FiguresSettings
from guess_or_recall.settings.localize import LocalizeSettings
from guess_or_recall.settings.model import ModelSettings
from guess_or_recall.settings.profiles import require_written
from guess_or_recall.settings.score import ScoreSettings
from guess_or_recall.settings.section import PARAMS, checked
from guess_or_recall.settings.sequences import Sequences, SequencesSettings
from guess_or_recall.settings.taxonomy import LabelSettings, PoolSettings
from guess_or_recall.settings.train import TrainSettings
from guess_or_recall.settings.values import Text
from guess_or_recall.settings.yaml import parse_yaml, read_yaml


class Params(
    SequencesSettings,
    ModelSettings,
    ScoreSettings,
    FeaturesSettings,
    PoolSettings,
    AttentionSettings,
    LabelSettings,
    TrainSettings,
    EvaluateSettings,
    LocalizeSettings,
    AblateSettings,
    FiguresSettings,
):
    """What all stages read together, so that it can be given to any room as its settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    profile: Text
    sequences: Sequences
    attention: Attention

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

    @model_validator(mode="after")
    def trees_can_be_read(self) -> "Params":
        """Find a typo in any tree now, in use or not."""
        named = [self.taxonomy, self.figures.flow_from, *self.pool.taxonomies]
        require_trees(self.taxonomies, named)
        return self

    @model_validator(mode="after")
    def no_cnn_is_in_the_grid_twice(self) -> "Params":
        """Find now what `train` would refuse after hours."""
        for key, values in self.train.grid.model_dump().items():
            if len({*values}) < len(values):
                raise ValueError(f"train.grid.{key} = {values}: list every value once")
        return self

    @model_validator(mode="after")
    def cuts_fit_the_model(self) -> "Params":
        """Refuse to cut more layers in a row than a model that is trained here will have."""
        widest, layers = max(map(max, self.ablate.cuts.values())), self.model.train.layers
        if self.model.source == "train" and widest > layers:
            raise ValueError(
                f"ablate.cuts = {widest} layers in a row: the model will have model.train.layers = "
                f"{layers}: lower the first or raise the second"
            )
        return self


def read_params(path: Path = PARAMS) -> Params:
    """Read and check params.yaml.

    Raises:
        UserError: a key is unknown or missing, or a value is not allowed (all are named).
    """
    content = read_yaml(path)
    params = checked(Params, content, str(path))
    require_written(params.profile, content)
    return params


def parse_params(text: str, origin: str) -> Params:
    """Check the text of a params.yaml; `origin` is named in errors."""
    return checked(Params, parse_yaml(text, origin), origin)
