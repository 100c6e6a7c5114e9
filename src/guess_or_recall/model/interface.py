"""A function of our own in place of a model's attention, whatever its architecture.

It stands in transformers' AttentionInterface, in front of the architecture's own eager attention:
the pattern that it sees is what `output_attentions` returns.
"""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import eager_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from guess_or_recall.errors import UserError

NAME = "observed"  # of the attention implementation, in the block of `attending`
METHOD = "_attn"  # of attention modules that are older than AttentionInterface
Attend = Callable[..., tuple[Tensor, Tensor | None]]


@contextmanager
def attending(model: PreTrainedModel, attend: Attend) -> Iterator[None]:
    """Have every attention module of a model call `attend`; its own attention is back after.

    Args:
        model: any model of transformers whose attention goes through AttentionInterface, or
            through a method `_attn` of its modules (GPT-Neo, GPT-J, CodeGen).
        attend: takes what the eager attention takes (module, query, key, value, mask, ...), gives
            its output [batch, query, heads, width] and the pattern, or None for it.

    Raises:
        UserError: the architecture's attention does not go through AttentionInterface.
    """
    if with_method := [module for module in model.modules() if METHOD in dir(type(module))]:
        with methods_replaced(with_method, attend):
            yield
        return
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


@contextmanager
def methods_replaced(modules: list[nn.Module], attend: Attend) -> Iterator[None]:
    """Have modules call `attend` in the place of their method `_attn`.

    The method gives its output as [batch, heads, query, width].
    """

    def method(module: nn.Module) -> Callable:
        def attn(
            query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None = None
        ) -> tuple[Tensor, Tensor | None]:
            output, pattern = attend(module, query, key, value, attention_mask)
            return output.transpose(1, 2), pattern

        return attn

    for module in modules:
        setattr(module, METHOD, method(module))
    try:
        yield
    finally:
        for module in modules:
            delattr(module, METHOD)


def eager_attention(module: nn.Module) -> Callable:
    """The eager attention of the architecture that an attention module belongs to."""
    if METHOD in dir(type(module)):
        return attention_of_method
    try:
        return sys.modules[type(module).__module__].eager_attention_forward
    except AttributeError:
        raise unobservable(module) from None


def attention_of_method(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    **kwargs: Any,
) -> tuple[Tensor, Tensor]:
    """The attention of an architecture that has it in a method, called as all others are."""
    output, pattern = getattr(type(module), METHOD)(module, query, key, value, mask)
    return output.transpose(1, 2), pattern


def unobservable(module: torch.nn.Module) -> UserError:
    """The error for an architecture whose attention cannot be observed."""
    return UserError(
        f"{type(module).__name__}: the attention of this architecture cannot be observed; choose "
        "a causal language model that uses the AttentionInterface of transformers (GPT-NeoX, "
        "GPT-2, GPT-Neo, OPT, Llama, Mistral, Qwen, Gemma, ...)"
    )


def attention_modules(model: PreTrainedModel) -> list[nn.Module]:
    """The attention module of every layer that has one, in the order in which they are called.

    Raises:
        UserError: the architecture's attention does not go through AttentionInterface, is not that
            of every layer's own module, or sees later tokens.
    """
    called: list[nn.Module] = []
    count = 1 if model.device.type == "meta" else 2  # masks of several look into numbers

    def attend(module: nn.Module, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        output, pattern = eager_attention(module)(module, *args, **kwargs)
        if pattern.shape[-2:] != (count, count):
            raise unobservable(model)
        if not getattr(module, "is_causal", True) or sees_later(pattern):
            raise UserError(
                f"{type(model).__name__}: its tokens see later ones (config.json: is_decoder): "
                "choose a causal language model"
            )
        called.append(module)
        return output, pattern

    with torch.inference_mode(), attending(model, attend):
        tokens = torch.zeros(1, count, dtype=torch.int64, device=model.device)
        model.base_model(input_ids=tokens, use_cache=False)
    if not called or len(set(block_paths(model, called))) < len(called):
        raise unobservable(model)
    return called


def sees_later(pattern: Tensor) -> bool:
    """Whether the first of two tokens sees the second."""
    return pattern.device.type != "meta" and bool((pattern[..., 0, 1] > 0.01).any())


def blocks_of(model: PreTrainedModel, modules: list[nn.Module]) -> list[nn.Module]:
    """The transformer block of each attention module: a numbered part of the model."""
    return [model.get_submodule(path) for path in block_paths(model, modules)]


def block_paths(model: PreTrainedModel, modules: list[nn.Module]) -> list[str]:
    """The name of the block of each attention module, which ends in the layer's number.

    Raises:
        UserError: one stands in no numbered block.
    """
    names = {module: name for name, module in model.named_modules()}
    paths = [re.match(r"(.*?\.\d+)\.", names[module]) for module in modules]
    if not all(paths):
        raise unobservable(model)
    return [path[1] for path in paths if path]


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
