"""The model that params.yaml names, as far as its configuration tells: nothing else is fetched."""

from pathlib import Path
from typing import NamedTuple

import torch
from transformers import (
    AutoModelForCausalLM,
    GPTNeoXConfig,
    PretrainedConfig,
    PreTrainedModel,
)

from guess_or_recall.model.config import read_config
from guess_or_recall.model.hub import snapshot
from guess_or_recall.model.layers import attention_layers
from guess_or_recall.settings.params import Params


class Shape(NamedTuple):
    """What sizes depend on."""

    layers: int  # that have attention
    heads: int
    parameters: int


def config_of(params: Params) -> PretrainedConfig:
    """Configuration of the model that params.yaml names.

    Raises:
        UserError: there is no such model, or transformers does not know it.
    """
    if params.model.source == "train":
        training = params.model.train
        return GPTNeoXConfig(
            vocab_size=params.sequences.tokenizer.vocabulary,
            hidden_size=training.width,
            num_hidden_layers=training.layers,
            num_attention_heads=training.heads,
            intermediate_size=4 * training.width,
        )
    hub, folder = params.model.hub, Path(params.model.path)
    if params.model.source == "hub":
        folder = snapshot(hub.name, hub.revision, ["config.json"])
    return read_config(folder, folder, f"model: '{folder}'")


def dtype_of(params: Params) -> str:
    """The type that the model is loaded in."""
    return params.model.hub.dtype if params.model.source == "hub" else params.model.dtype


def shape_of(config: PretrainedConfig) -> Shape:
    """Layers, heads and parameters; no memory is taken."""
    layers = attention_layers(config, "model")
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    text = config.get_text_config()
    return Shape(len(layers), text.num_attention_heads, model.num_parameters())


def random_model(
    config: PretrainedConfig, dtype: torch.dtype, device: torch.device
) -> PreTrainedModel:
    """A model of this shape with random weights."""
    torch.manual_seed(0)
    with device:
        return AutoModelForCausalLM.from_config(config, dtype=dtype).eval()
