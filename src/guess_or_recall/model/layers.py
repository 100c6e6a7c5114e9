"""The layers of a model that have attention, by the model's own numbers, which begin at 0."""

import re

import torch
from torch import nn
from transformers import AutoModelForCausalLM, PretrainedConfig, PreTrainedModel

from guess_or_recall.errors import UserError
from guess_or_recall.model.config import reason
from guess_or_recall.model.interface import attention_modules, block_paths

LARGE = 4e9  # parameters of a model that is not given memory just to be looked at


def layer_numbers(model: PreTrainedModel, modules: list[nn.Module]) -> list[int]:
    """The number of the layer of each attention module."""
    return [int(path.rsplit(".", 1)[1]) for path in block_paths(model, modules)]


def numbered_modules(model: PreTrainedModel) -> dict[int, nn.Module]:
    """The attention module of each layer that has one, by the layer's number."""
    modules = attention_modules(model)
    return dict(zip(layer_numbers(model, modules), modules, strict=True))


def attention_layers(config: PretrainedConfig, named: str) -> list[int]:
    """The layers that have attention, of a model without its weights.

    Args:
        config: of the model.
        named: what errors call it.

    Raises:
        UserError: the architecture's attention cannot be observed.
    """
    try:
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config).eval()
        if (numbers := numbers_without_memory(model)) is not None:
            return numbers
        if model.num_parameters() > LARGE:
            return declared_layers(config)
        model.to_empty(device="cpu")
        return layer_numbers(model, attention_modules(model))
    except UserError:
        raise
    except Exception as error:  # nonsense in config.json raises any kind
        raise UserError(f"{named} is not supported: {reason(error)}") from None


def numbers_without_memory(model: PreTrainedModel) -> list[int] | None:
    """The layers with attention of a model that has no numbers; None where it looks into them."""
    try:
        return layer_numbers(model, attention_modules(model))
    except UserError:
        raise
    except Exception:  # of any kind
        return None


def declared_layers(config: PretrainedConfig) -> list[int]:
    """The layers with attention as config.json lists them; all where it lists none."""
    text = config.get_text_config()
    kinds = getattr(text, "layer_types", None) or ["attention"] * text.num_hidden_layers
    return [
        number
        for number, kind in enumerate(kinds)
        if re.search("attention$", kind) and "linear" not in kind
    ]
