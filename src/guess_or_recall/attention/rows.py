"""Whether attention patterns are sound: what the rows of each add up to, and what passes the mask.

A row of a pattern is a softmax: it adds up to 1 over the keys that its query may see. In float16
the mask is -65,504 and no less, so scores near it let a row leak onto forbidden keys. A model with
attention sinks adds up to less than 1 by design: the sink is no key.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor, nn

from guess_or_recall.attention.store import TOLERANCE

LEAK = 1e-3  # what a row may have on forbidden keys


class Rows(NamedTuple):
    """The most extreme rows of some patterns, over their heads and queries."""

    least: Float[Tensor, "*layers batch"]  # sum over the allowed keys
    most: Float[Tensor, "*layers batch"]
    leaked: Float[Tensor, "*layers batch"]  # sum over the forbidden ones, the most

    @classmethod
    def of_all(cls, rows: list["Rows"]) -> "Rows":
        """The extremes over all layers."""
        least, most, leaked = (torch.stack(values) for values in zip(*rows, strict=True))
        return cls(least.amin(0), most.amax(0), leaked.amax(0))


def rows_of(
    pattern: Float[Tensor, "batch heads query key"], mask: Shaped[Tensor, "..."] | None
) -> Rows:
    """What the rows of a layer's patterns add up to.

    Args:
        pattern: after the softmax.
        mask: what the architecture adds to the scores, or true at allowed keys, or none.
    """
    allowed = ~forbidden(pattern, mask)
    leaked = pattern.masked_fill(allowed, 0).sum(-1, dtype=torch.float32)
    sums = pattern.sum(-1, dtype=torch.float32) - leaked  # faster than to mask the pattern again
    return Rows(sums.amin((1, 2)), sums.amax((1, 2)), leaked.amax((1, 2)))


def least_row(pattern: Float[Tensor, "batch heads query key"]) -> Float[Tensor, " batch"]:
    """What the row that adds up to the least has on its own and earlier tokens."""
    return pattern.tril().sum(-1, dtype=torch.float32).amin((1, 2))


def forbidden(
    pattern: Float[Tensor, "batch heads query key"], mask: Shaped[Tensor, "..."] | None
) -> Bool[Tensor, "*any query key"]:
    """The keys that a query must not see: later tokens, and what the architecture masks."""
    queries, keys = pattern.shape[-2:]
    later = torch.ones(queries, keys, dtype=torch.bool, device=pattern.device).triu(1)
    if mask is None:
        return later
    mask = mask[..., :keys]
    if mask.dtype == torch.bool:
        return later | ~mask
    return later | (mask <= torch.finfo(mask.dtype).min / 2)


def has_sinks(modules: list[nn.Module]) -> bool:
    """Whether attention modules have sinks: parameters that take a share of every row."""
    names = (name for module in modules for name, _ in module.named_parameters(recurse=False))
    return any("sink" in name for name in names)


def is_sound(rows: Rows, sinks: bool) -> Bool[Tensor, " batch"]:
    """Which sequences have finite rows that add up to 1 and do not leak.

    Args:
        rows: over all layers.
        sinks: whether rows may add up to less than 1.
    """
    whole = (rows.least >= 1 - TOLERANCE) | sinks
    return whole & (rows.most <= 1 + TOLERANCE) & (rows.leaked <= LEAK) & rows.least.isfinite()


def complaint(rows: Rows) -> str | None:
    """What is wrong with patterns in the widest type; None where they are what the model does."""
    if not (rows.most.isfinite() & rows.least.isfinite() & rows.leaked.isfinite()).all():
        return "has values that are not finite, in float32 too: its weights are damaged"
    if (rows.leaked > LEAK).any():
        return (
            f"gives keys that its mask forbids a share of {rows.leaked.max():.3f}, in float32 too: "
            "name a causal language model, in which no token sees later ones"
        )
    if (rows.most > 1 + TOLERANCE).any():
        return f"has rows that add up to {rows.most.max():.3f}: it is no softmax over the keys"
    return None
