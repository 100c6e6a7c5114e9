"""The tokens that a model has seen in front of every text (BOS), put there again when it runs.

Nothing else knows of them: prefix and suffix keep their places in tokens, losses and patterns.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor
from transformers import PreTrainedModel

NAME = "tokens_in_front"  # of the attribute of a model


def put_in_front(model: PreTrainedModel, tokens: Sequence[int]) -> PreTrainedModel:
    """The same model, which sees some tokens in front of every sequence from now on."""
    setattr(model, NAME, tuple(tokens))
    return model


def in_front(model: PreTrainedModel) -> int:
    """How many tokens a model sees in front of a sequence; 0 of most models."""
    return len(getattr(model, NAME, ()))


def with_front(
    model: PreTrainedModel, tokens: Int[Tensor, "batch length"]
) -> Int[Tensor, "batch whole"]:
    """What a model is to be given of sequences that begin a text."""
    if not in_front(model):
        return tokens
    front = tokens.new_tensor(getattr(model, NAME)).expand(len(tokens), -1)
    return torch.cat([front, tokens], dim=1)
