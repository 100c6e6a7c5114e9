"""Cuts: which cells of the attention patterns of which layers are taken from a running model."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool
from torch import Tensor, nn
from transformers import PreTrainedModel

from guess_or_recall.model.front import in_front
from guess_or_recall.model.interface import attending, eager_attention
from guess_or_recall.settings.ablate import How, require_windows


@dataclass(frozen=True)
class Cut:
    """How attention is cut, and in which layers: neighbours, or ones drawn at random."""

    how: str
    layers: tuple[int, ...]
    drawn: bool = False

    @property
    def name(self) -> str:
        """Name of the layers, such as 3, 2-4 or 0+5+7."""
        first, last = self.layers[:1], self.layers[-1:]
        if self.drawn or first == last or last[0] - first[0] >= len(self.layers):
            return "+".join(map(str, self.layers))
        return f"{first[0]}-{last[0]}"


class Regions(NamedTuple):
    """Where the regions of an attention pattern end."""

    prefix: int  # tokens of a sequence that are its prefix
    near: int  # distance between query and key up to which a cell belongs to the diagonal


def plan(cuts: Mapping[How, list[int]], layers: list[int], draws: int, seed: int) -> list[Cut]:
    """List the cuts: every window of layers, and as controls as many layers drawn at random.

    Args:
        cuts: how to cut -> numbers of layers in a row.
        layers: numbers of those that have attention.
        draws: random sets of layers for each window of more than one. (For one layer, the other
            layers are the control.)
        seed: of the random sets.

    Raises:
        UserError: a window is wider than all layers.
    """
    require_windows(cuts, len(layers))
    planned = []
    for how, widths in cuts.items():
        for width in widths:
            starts = range(len(layers) - width + 1)
            planned += [Cut(how, tuple(layers[start : start + width])) for start in starts]
            if 1 < width < len(layers):
                random = np.random.default_rng((seed, width))
                sets = [random.choice(len(layers), width, replace=False) for _ in range(draws)]
                drawn = [[layers[place] for place in sorted(places.tolist())] for places in sets]
                planned += [Cut(how, tuple(numbers), drawn=True) for numbers in drawn]
    return planned


def kept(how: str, length: int, regions: Regions) -> Bool[Tensor, "query key"]:
    """The cells of an attention pattern that a cut leaves.

    Args:
        how: as `ablate.cuts` of params.yaml names it; `off` leaves none.
        length: tokens of the sequence.
        regions: of its pattern.
    """
    query, key = torch.arange(length)[:, None], torch.arange(length)
    diagonal = (query - key).abs() <= regions.near
    across = (query >= regions.prefix) & (key < regions.prefix)
    return {
        "off": torch.zeros(length, length, dtype=torch.bool),
        "only-diagonal": diagonal,
        "all-but-diagonal": ~diagonal,
        "only-prefix-to-suffix": across,
        "all-but-prefix-to-suffix": ~across,
    }[how]


@contextmanager
def cutting(
    model: PreTrainedModel, modules: Mapping[int, nn.Module], cut: Cut, regions: Regions
) -> Iterator[None]:
    """Cut the attention of some layers in the block of this context.

    `modules` has the attention module of each layer by its number.

    `off` takes the whole output of the attention block, the bias of its projection too. The other
    cuts take cells from the patterns after the softmax: what is left is not scaled up.
    """
    of_layers = [modules[layer] for layer in cut.layers]
    if cut.how == "off":
        with silenced(of_layers):
            yield
    else:
        with restricted(model, of_layers, cut.how, regions):
            yield


@contextmanager
def silenced(modules: list[nn.Module]) -> Iterator[None]:
    """Make the output of some attention modules zero."""

    def silence(module: nn.Module, args: tuple, output: Any) -> tuple:
        first, *others = output
        return torch.zeros_like(first), *others

    with ExitStack() as stack:
        for module in modules:
            stack.enter_context(module.register_forward_hook(silence))
        yield


@contextmanager
def restricted(
    model: PreTrainedModel, modules: list[nn.Module], how: str, regions: Regions
) -> Iterator[None]:
    """Leave only some cells of the patterns of some attention modules, computed in float32.

    In float16 the mask lets scores near it leak onto forbidden keys. Cells of a BOS token, which
    is the same in front of every sequence and so tells nothing of it, stay.
    """
    front = in_front(model)

    def attend(
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None,
        *args: Any,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor]:
        dtype, [query, key, value] = query.dtype, [part.float() for part in (query, key, value)]
        attention, mask = eager_attention(module), widened(mask)
        output, pattern = attention(module, query, key, value, mask, *args, **kwargs)
        output = output.to(dtype)
        if not any(module is restricted_module for restricted_module in modules):
            return output, pattern
        cells = kept(how, pattern.shape[-1] - front, regions).to(pattern.device)
        pattern = pattern * F.pad(cells, (front, 0, front, 0), value=True)
        values = value.repeat_interleave(pattern.shape[1] // value.shape[1], 1)
        return (pattern @ values).transpose(1, 2).contiguous().to(dtype), pattern

    with attending(model, attend):
        yield


def widened(mask: Tensor | None) -> Tensor | None:
    """What is added to the scores, as strict in float32 as in its own type."""
    if mask is None or not mask.dtype.is_floating_point:
        return mask
    barred = mask <= torch.finfo(mask.dtype).min / 2
    return mask.float().masked_fill(barred, torch.finfo(torch.float32).min)
