"""Attention patterns pooled over heads while the model runs.

Input gradients of a CNN that sees the mean or the maximum over heads need no more of the attention
than these two, so the heads are pooled inside the attention of each layer and never leave it.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Float16, Int
from torch import Tensor, nn
from torch.func import functional_call
from transformers import PreTrainedModel

from guess_or_recall.attention.rows import Rows, complaint, has_sinks, is_sound, least_row, rows_of
from guess_or_recall.attention.triangle import pack
from guess_or_recall.errors import UserError, say_once
from guess_or_recall.model.front import in_front, with_front
from guess_or_recall.model.interface import (
    attending,
    attention_modules,
    blocks_of,
    compiled,
    eager_attention,
)

WIDER = {  # to compute in where a type overflows, in this order
    torch.float16: (torch.bfloat16, torch.float32),
    torch.bfloat16: (torch.float32,),
}
Reduce = Callable[[Float[Tensor, "batch heads query key"]], Tensor]


def pool_heads(
    pattern: Float[Tensor, "batch heads query key"],
) -> Float[Tensor, "pooling=2 batch packed"]:
    """Mean and maximum over heads, in this order, of the lower triangle, in float32."""
    mean = pattern.mean(1, dtype=torch.float32)
    return torch.stack((pack(mean), pack(pattern.amax(1).float())))


class Observed(NamedTuple):
    """What is kept of the patterns of one batch."""

    patterns: Float[Tensor, "layers ..."]  # reduced, without what stands in front of a sequence
    rows: Rows  # of the whole patterns, over all layers
    least: Float[Tensor, " batch"]  # row of a sequence's own patterns, as they are stored
    sinks: bool  # whether the model's rows add up to less than 1 by design


Observe = Callable[..., Observed]  # of tokens, and of a type to compute in


@contextmanager
def observing(model: PreTrainedModel, reduce: Reduce, fused: bool = False) -> Iterator[Observe]:
    """Give what runs the model, without its language-model head, and keeps `reduce(pattern)`.

    Only what `reduce` returns is kept. The attention's output is unchanged, and the model is as it
    was after the block.

    Args:
        model: any model of transformers whose attention goes through AttentionInterface.
        reduce: of a layer's attention pattern [batch, heads, query, key], after the softmax.
        fused: have torch.compile fuse what stands between the matrix products, `reduce` too. It
            pays on a GPU, where that takes as long as a quarter of them, from the second batch of
            a shape on.

    Raises:
        UserError: the architecture's attention does not go through AttentionInterface.
    """
    inside: list[tuple] = []  # of one block: always empty before it, or each would be compiled
    collected: list[tuple] = []
    modules, front = attention_modules(model), in_front(model)
    sinks = has_sinks(modules)

    def attend(module: nn.Module, *inputs: Any, **options: Any) -> tuple[Tensor, None]:
        output, pattern = eager_attention(module)(module, *inputs, **options)
        rows = rows_of(pattern, inputs[3])  # the mask, behind query, key and value
        pattern = pattern[..., front:, front:]
        inside.append((reduce(pattern), rows, least_row(pattern) if front else rows.least))
        return output, None

    def take(*call: object) -> None:
        collected.append(inside.pop())

    @torch.inference_mode()
    def observe(tokens: Tensor, dtype: torch.dtype | None = None) -> Observed:
        inside.clear()  # of a batch that did not fit
        collected.clear()
        run, stance = model.base_model, nullcontext()
        if dtype:
            run, stance = in_dtype(model, dtype), torch.compiler.set_stance("force_eager")
        with stance:
            run(input_ids=with_front(model, tokens.to(model.device)), use_cache=False)
        patterns, rows, least = zip(*collected, strict=True)
        extremes = Rows.of_all([Rows(*together(model, layer)) for layer in rows])
        least = torch.stack(together(model, least)).amin(0)
        return Observed(torch.stack(together(model, patterns)), extremes, least, sinks)

    blocks = blocks_of(model, modules)
    with attending(model, attend), hooked(blocks, take), compiled(blocks if fused else []):
        yield observe


def together(model: PreTrainedModel, values: Iterable[Tensor]) -> list[Tensor]:
    """Values of the layers on one device; the model may span several."""
    return [value.to(model.device) for value in values]


@contextmanager
def hooked(blocks: list[nn.Module], hook: Callable) -> Iterator[None]:
    """Call a hook after each block."""
    with ExitStack() as stack:
        for block in blocks:
            stack.enter_context(block.register_forward_hook(hook))
        yield


def in_dtype(model: PreTrainedModel, dtype: torch.dtype) -> Callable:
    """The model without its head, its weights copied into another type."""
    named = model.base_model.named_parameters()
    weights = {name: weight.to(dtype) for name, weight in named if weight.dtype == model.dtype}

    def run(**inputs: Any) -> Any:
        return functional_call(model.base_model, weights, (), inputs)

    return run


@torch.inference_mode()
def sound(model: PreTrainedModel, look: Observe, tokens: Int[Tensor, "batch length"]) -> Observed:
    """What `look` gives of a batch, in the first type in which all of it is sound.

    A model in float16 may overflow, or leak past the mask: its batch is computed in bfloat16, then
    in float32.

    Raises:
        UserError: the attention is not finite, or leaks, in float32 too.
    """
    observed = look(tokens)
    for dtype in WIDER.get(model.dtype, ()):
        if is_sound(observed.rows, observed.sinks).all():
            return observed
        say_once(
            f"note: attention that is not finite in {short(model.dtype)}, or leaks past the mask, "
            f"is computed in {short(dtype)}, for the sequences where it is so"
        )
        observed = look(tokens, dtype)
    if reason := complaint(observed.rows):
        raise UserError(f"the attention of {type(model).__name__} {reason}")
    return observed


def short(dtype: torch.dtype) -> str:
    """Name of a type as params.yaml has it."""
    return str(dtype).removeprefix("torch.")


def observe(
    model: PreTrainedModel, tokens: Int[Tensor, "batch length"], reduce: Reduce
) -> Float[Tensor, "layers ..."]:
    """`reduce(pattern)` of all layers for one batch.

    Raises:
        UserError: the attention cannot be observed; or see `sound`.
    """
    with observing(model, reduce) as look:
        return sound(model, look, tokens).patterns


def as_stored(
    pooled: Float[Tensor, "layers pooling=2 batch packed"],
) -> Float16[Tensor, "pooling=2 batch layers packed"]:
    """Pooled patterns of a batch as they are kept."""
    return pooled.permute(1, 2, 0, 3).half()


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
    return as_stored(observe(model, tokens, pool_heads))


def full_attention(
    model: PreTrainedModel, tokens: Int[Tensor, "batch length"]
) -> Float16[Tensor, "batch layers heads query key"]:
    """The attention patterns of every head, in float16. Raises UserError as `observe` does."""
    return observe(model, tokens, lambda pattern: pattern).transpose(0, 1).half()
