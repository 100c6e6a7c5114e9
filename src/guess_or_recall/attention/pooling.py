"""Attention patterns pooled over heads while the model runs.

Input gradients of a CNN that sees the mean or the maximum over heads need no more of the attention
than these two, so the heads are pooled inside the attention of each layer and never leave it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float, Float16, Int
from torch import Tensor
from transformers import PreTrainedModel

from guess_or_recall.attention.interface import attending, eager_attention, unobservable
from guess_or_recall.attention.triangle import pack
from guess_or_recall.errors import UserError

Reduce = Callable[[Float[Tensor, "batch heads query key"]], Tensor]


def pool_heads(
    pattern: Float[Tensor, "batch heads query key"],
) -> Float[Tensor, "pooling=2 batch packed"]:
    """Mean and maximum over heads, in this order, of the lower triangle, in float32."""
    mean = pattern.mean(1, dtype=torch.float32)
    return torch.stack((pack(mean), pack(pattern.amax(1).float())))


@contextmanager
def collecting(model: PreTrainedModel, reduce: Reduce) -> Iterator[list[Tensor]]:
    """Collect `reduce(pattern)` of every layer, in order, of the forward passes in the block.

    Only what `reduce` returns is kept. The attention's output is unchanged.

    Args:
        model: any model of transformers whose attention goes through AttentionInterface.
        reduce: of a layer's attention pattern [batch, heads, query, key], after the softmax.

    Raises:
        UserError: the architecture's attention does not go through AttentionInterface.
    """
    collected: list[Tensor] = []

    def attend(module, *args, **kwargs):
        output, pattern = eager_attention(module)(module, *args, **kwargs)
        collected.append(reduce(pattern))
        return output, None

    with attending(model, attend):
        yield collected


@torch.inference_mode()
def observe(
    model: PreTrainedModel, tokens: Int[Tensor, "batch length"], reduce: Reduce
) -> Float[Tensor, "layers ..."]:
    """Run `model` without its language-model head; give `reduce(pattern)` of all layers, stacked.

    Raises:
        UserError: the attention cannot be observed, or has values that are not finite.
    """
    with collecting(model, reduce) as collected:
        model.base_model(input_ids=tokens.to(model.device), use_cache=False)
    if not collected:
        raise unobservable(model)
    stacked = torch.stack(collected)
    if not stacked.isfinite().all():
        raise UserError(
            f"the attention of {type(model).__name__} has values that are not finite: its weights "
            f"are damaged, or {model.dtype} overflows (load the model in float32)"
        )
    return stacked


def pooled_attention(
    model: PreTrainedModel, tokens: Int[Tensor, "batch length"]
) -> Float16[Tensor, "pooling=2 batch layers packed"]:
    """Mean and maximum over heads of the attention patterns, lower triangle, in float16.

    Args:
        model: a causal language model, in evaluation mode.
        tokens: token ids; they are moved to the model's device.

    Raises:
        UserError: see `observe`.
    """
    return observe(model, tokens, pool_heads).permute(1, 2, 0, 3).half()


def full_attention(
    model: PreTrainedModel, tokens: Int[Tensor, "batch length"]
) -> Float16[Tensor, "batch layers heads query key"]:
    """The attention patterns of every head, in float16. Raises UserError as `observe` does."""
    return observe(model, tokens, lambda pattern: pattern).transpose(0, 1).half()
