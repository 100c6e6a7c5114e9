"""A function of our own in place of a model's attention, whatever its architecture.

It stands in transformers' AttentionInterface, in front of the architecture's own eager attention:
the pattern that it sees is what `output_attentions` returns.
"""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn
from transformers import AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import eager_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from guess_or_recall.errors import UserError

NAME = "observed"  # of the attention implementation, in the block of `attending`
Attend = Callable[..., tuple[torch.Tensor, torch.Tensor | None]]


@contextmanager
def attending(model: PreTrainedModel, attend: Attend) -> Iterator[None]:
    """Have every attention module of a model call `attend`; its own attention is back after.

    Args:
        model: any model of transformers whose attention goes through AttentionInterface.
        attend: takes what the eager attention takes (module, query, key, value, mask, ...), gives
            its output [batch, query, heads, width] and the pattern, or None for it.

    Raises:
        UserError: the architecture's attention does not go through AttentionInterface.
    """
    if not model._can_set_attn_implementation():
        raise unobservable(model)
    before = model.config._attn_implementation or "eager"
    ALL_ATTENTION_FUNCTIONS[NAME] = attend
    AttentionMaskInterface.register(NAME, eager_mask)
    try:
        model.set_attn_implementation(NAME)
        yield
    finally:
        model.set_attn_implementation(before)
        del ALL_ATTENTION_FUNCTIONS[NAME]


def eager_attention(module: torch.nn.Module) -> Callable:
    """The eager attention of the architecture that an attention module belongs to."""
    try:
        return sys.modules[type(module).__module__].eager_attention_forward
    except AttributeError:
        raise unobservable(module) from None


def unobservable(module: torch.nn.Module) -> UserError:
    """The error for an architecture whose attention cannot be observed."""
    return UserError(
        f"{type(module).__name__}: the attention of this architecture cannot be observed; choose "
        "a causal language model that uses the AttentionInterface of transformers (GPT-NeoX, "
        "GPT-2, Llama, Mistral, Qwen, Gemma, ...)"
    )


def attention_modules(model: PreTrainedModel) -> list[nn.Module]:
    """The attention module of every layer, in the order in which a forward pass calls them.

    Raises:
        UserError: the architecture's attention does not go through AttentionInterface.
    """
    called: list[nn.Module] = []

    def attend(module, *args, **kwargs):
        called.append(module)
        return eager_attention(module)(module, *args, **kwargs)

    with torch.inference_mode(), attending(model, attend):
        model.base_model(input_ids=torch.zeros(1, 1, dtype=torch.int64, device=model.device))
    if not called:
        raise unobservable(model)
    return called


def blocks_of(model: PreTrainedModel, modules: list[nn.Module]) -> list[nn.Module]:
    """The transformer block of each attention module: a numbered part of the model."""
    names = {module: name for name, module in model.named_modules()}
    paths = [re.match(r"(.*?\.\d+)\.", names[module]) for module in modules]
    return [model.get_submodule(path[1]) for path in paths if path]


@contextmanager
def compiled(blocks: list[nn.Module]) -> Iterator[None]:
    """Compile some blocks, which share their code: all but the first come for nothing."""
    compiled_forwards = [torch.compile(block.forward, dynamic=False) for block in blocks]
    with forwards_replaced(blocks, compiled_forwards):
        yield


@contextmanager
def forwards_replaced(blocks: list[nn.Module], forwards: list[Callable]) -> Iterator[None]:
    """Have blocks call other functions than their own `forward`, which is back after."""
    before = [vars(block).get("forward") for block in blocks]  # set where a model spans GPUs
    for block, forward in zip(blocks, forwards, strict=True):
        block.forward = forward
    try:
        yield
    finally:
        for block, forward in zip(blocks, before, strict=True):
            del block.forward
            if forward is not None:
                block.forward = forward
