"""Cuts: which cells of the attention patterns of which layers are taken from a running model."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor, nn
from transformers import PreTrainedModel

from guess_or_recall.model.interface import attending, eager_attention
from guess_or_recall.settings.ablate import How

PREFIX = 32


@dataclass(frozen=True)
class Cut:
    """What is cut, and in which layers; `window` layers in a row, or drawn at random."""

    how: str
    layers: tuple[int, ...]
    drawn: bool = False

    @property
    def name(self) -> str:
        """Name of the layers, such as 3, 2-4 or 0+5+7."""
        if self.drawn or len(self.layers) < 2:
            return "+".join(map(str, self.layers))
        return f"{self.layers[0]}-{self.layers[-1]}"


def plan(cuts: Mapping[How, list[int]], layers: int, draws: int, seed: int) -> list[Cut]:
    """List the cuts: every window of layers, and as controls as many layers drawn at random.

    Args:
        cuts: how to cut -> numbers of layers in a row.
        layers: of the model; a wider window is left out.
        draws: random sets of layers for each window of more than one. (For one layer, the other
            layers are the control.)
        seed: of the random sets.
    """
    found = []
    for how, widths in cuts.items():
        for width in (each for each in widths if each <= layers):
            starts = range(layers - width + 1)
            found += [Cut(how, tuple(range(start, start + width))) for start in starts]
            if 1 < width < layers:
                random = np.random.default_rng((seed, width))
                sets = [random.choice(layers, width, replace=False) for _ in range(draws)]
                found += [Cut(how, tuple(sorted(each.tolist())), drawn=True) for each in sets]
    return found


def kept(how: str, near: int, length: int) -> Bool[Tensor, "query key"]:
    """The cells of an attention pattern that a cut leaves.

    Args:
        how: as `ablate.cuts` of params.yaml names it; `off` leaves none.
        near: distance between query and key up to which a cell belongs to the diagonal.
        length: of the sequence.
    """
    query, key = torch.arange(length)[:, None], torch.arange(length)
    diagonal = (query - key).abs() <= near
    across = (query >= PREFIX) & (key < PREFIX)
    return {
        "off": torch.zeros(length, length, dtype=torch.bool),
        "only-diagonal": diagonal,
        "all-but-diagonal": ~diagonal,
        "only-prefix-to-suffix": across,
        "all-but-prefix-to-suffix": ~across,
    }[how]


@contextmanager
def cutting(
    model: PreTrainedModel, modules: list[nn.Module], cut: Cut, near: int
) -> Iterator[None]:
    """Cut the attention of some layers in the block.

    `off` takes the whole output of the attention block, the bias of its projection too. The other
    cuts take cells from the patterns after the softmax: what is left is not scaled up.
    """
    chosen = [modules[layer] for layer in cut.layers]
    with silenced(chosen) if cut.how == "off" else restricted(model, chosen, cut.how, near):
        yield


@contextmanager
def silenced(chosen: list[nn.Module]) -> Iterator[None]:
    """Make the output of some modules zero."""

    def silence(module, args, output):
        first, *others = output
        return torch.zeros_like(first), *others

    with ExitStack() as stack:
        for module in chosen:
            stack.enter_context(module.register_forward_hook(silence))
        yield


@contextmanager
def restricted(
    model: PreTrainedModel, chosen: list[nn.Module], how: str, near: int
) -> Iterator[None]:
    """Leave only some cells of the patterns of some attention modules."""

    def attend(module, query, key, value, *args, **kwargs):
        output, pattern = eager_attention(module)(module, query, key, value, *args, **kwargs)
        if not any(module is one for one in chosen):
            return output, pattern
        pattern = pattern * kept(how, near, pattern.shape[-1]).to(pattern.device)
        values = value.repeat_interleave(pattern.shape[1] // value.shape[1], 1)
        return (pattern @ values).transpose(1, 2).contiguous(), pattern

    with attending(model, attend):
        yield
