"""Ablation: what a model still extracts and predicts when some of its attention is cut.

One teacher-forced pass a cut decides which sequences are still extractable: greedy decoding gives
the suffix if and only if the most likely token is the true one at every position of the suffix.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor, nn
from tqdm import tqdm
from transformers import PreTrainedModel

from guess_or_recall.errors import UserError
from guess_or_recall.localization.cuts import Cut, Regions, cutting
from guess_or_recall.model.interface import blocks_of, forwards_replaced
from guess_or_recall.model.layers import numbered_modules
from guess_or_recall.model.scoring import teacher_forced


class Outcomes(NamedTuple):
    """What a model does with some sequences: whole in row 0, then with each cut."""

    extractable: Bool[np.ndarray, "cuts n"]
    matched: Float[np.ndarray, "cuts n"]  # share of the suffix whose most likely token is true
    suffix_loss: Float[np.ndarray, "cuts n"]  # mean over its tokens, nats
    sequence_loss: Float[np.ndarray, "cuts n"]  # mean over all tokens but the first, nats


def ablate(
    model: PreTrainedModel,
    tokens: Int[np.ndarray, "n length"],
    cuts: list[Cut],
    regions: Regions,
    batch: int,
) -> Outcomes:
    """Measure a model whole, and with each cut.

    Args:
        model: a causal language model, in evaluation mode.
        tokens: the true tokens of the sequences.
        cuts: see `plan`.
        regions: of the attention patterns.
        batch: sequences a forward pass.

    Raises:
        UserError: the attention cannot be cut, or the whole model gives NaN.
    """
    modules = numbered_modules(model)
    blocks = blocks_of(model, list(modules.values()))
    place = {number: index for index, number in enumerate(modules)}
    shape = len(cuts) + 1, len(tokens)
    outcomes = Outcomes(np.empty(shape, bool), *(np.empty(shape) for _ in range(3)))
    sequences = torch.from_numpy(tokens.astype(np.int64))
    with tqdm(total=outcomes.extractable.size, desc="ablate", unit="sequence") as bar:
        for start in range(0, len(tokens), batch):
            rows = slice(start, start + batch)
            part = sequences[rows]
            with recorded(blocks) as outputs:
                fill_in(outcomes, (0, rows), measured(model, part, regions.prefix))
            bar.update(len(part))
            for row, cut in enumerate(cuts, 1):
                in_front = blocks[: place[min(cut.layers)]]
                with cutting(model, modules, cut, regions), replayed(in_front, outputs):
                    fill_in(outcomes, (row, rows), measured(model, part, regions.prefix))
                bar.update(len(part))
    if not np.isfinite(outcomes.sequence_loss[0]).all():
        raise UserError("the model's logits are not finite: its weights are broken or overflow")
    return outcomes


@torch.inference_mode()
def measured(
    model: PreTrainedModel, tokens: Int64[Tensor, "b length"], prefix: int
) -> tuple[Tensor, ...]:
    """One teacher-forced pass: the fields of `Outcomes`, a value a sequence."""
    best, losses = teacher_forced(model, tokens.to(model.device), prefix)
    right, losses = best.cpu() == tokens[:, prefix:], losses.double().cpu()
    suffix_losses = losses[:, prefix - 1 :]
    return right.all(1), right.double().mean(1), suffix_losses.mean(1), losses.mean(1)


def fill_in(outcomes: Outcomes, place: tuple[int, slice], values: tuple[Tensor, ...]) -> None:
    """Write what one pass gives in the row of its cut and the columns of its sequences."""
    for field, column in zip(outcomes, values, strict=True):
        field[place] = column.numpy()


@contextmanager
def recorded(blocks: list[nn.Module]) -> Iterator[list]:
    """Keep what each block of the model gives in the block of this context."""
    outputs = []
    with ExitStack() as stack:
        for block in blocks:
            keep = block.register_forward_hook(lambda *call: outputs.append(call[-1]))
            stack.enter_context(keep)
        yield outputs


@contextmanager
def replayed(blocks: list[nn.Module], outputs: list) -> Iterator[None]:
    """Have the first blocks give what they gave before, without computing it again.

    A cut changes nothing in front of its first layer: half of all work is saved.
    """

    def replay(output: object) -> Callable:
        return lambda *args, **kwargs: output

    first_outputs = outputs[: len(blocks)]
    with forwards_replaced(blocks, [replay(output) for output in first_outputs]):
        yield
