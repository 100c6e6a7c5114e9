"""Ablation: what a model still recites, and still predicts, when some of its attention is cut.

One teacher-forced pass a cut decides who is still 32-extractable: greedy decoding gives the suffix
iff the argmax at each of positions 31..62 is the next token.
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
from guess_or_recall.localization.cuts import PREFIX, Cut, cutting
from guess_or_recall.model.interface import attention_modules, blocks_of, forwards_replaced
from guess_or_recall.model.scoring import teacher_forced


class Measured(NamedTuple):
    """What a model does with some sequences: whole in row 0, then with each cut."""

    extractable: Bool[np.ndarray, "cuts n"]
    matched: Float[np.ndarray, "cuts n"]  # share of the suffix that the argmax finds
    suffix_loss: Float[np.ndarray, "cuts n"]  # mean over its tokens, nats
    sequence_loss: Float[np.ndarray, "cuts n"]  # mean over tokens 1..63, nats


def ablate(
    model: PreTrainedModel,
    tokens: Int[np.ndarray, "n 64"],
    cuts: list[Cut],
    near: int,
    batch: int,
) -> Measured:
    """Measure a model whole, and with each cut.

    Args:
        model: a causal language model, in evaluation mode.
        tokens: the true tokens of the sequences.
        cuts: see `plan`.
        near: see `kept`.
        batch: sequences a forward pass.

    Raises:
        UserError: the attention cannot be cut, or the whole model gives NaN.
    """
    modules = attention_modules(model)
    blocks = blocks_of(model, modules)
    shape = len(cuts) + 1, len(tokens)
    found = Measured(np.empty(shape, bool), *(np.empty(shape) for _ in range(3)))
    every = torch.from_numpy(tokens.astype(np.int64))
    with tqdm(total=found.extractable.size, desc="ablate", unit="sequence") as bar:
        for start in range(0, len(tokens), batch):
            rows = slice(start, start + batch)
            with recorded(blocks) as outputs:
                measure(model, every[rows], found, (0, rows))
            bar.update(len(every[rows]))
            for place, cut in enumerate(cuts, 1):
                whole = blocks[: min(cut.layers)]
                with cutting(model, modules, cut, near), replayed(whole, outputs):
                    measure(model, every[rows], found, (place, rows))
                bar.update(len(every[rows]))
    if not np.isfinite(found.sequence_loss[0]).all():
        raise UserError("the model's logits are not finite: its weights are broken or overflow")
    return found


@torch.inference_mode()
def measure(
    model: PreTrainedModel, tokens: Int64[Tensor, "b 64"], found: Measured, where: tuple[int, slice]
) -> None:
    """Fill in what one teacher-forced pass finds."""
    best, losses = teacher_forced(model, tokens.to(model.device))
    right, losses = best.cpu() == tokens[:, PREFIX:], losses.double().cpu()
    columns = right.all(1), right.double().mean(1), losses[:, PREFIX - 1 :].mean(1), losses.mean(1)
    for values, column in zip(found, columns, strict=True):
        values[where] = column.numpy()


@contextmanager
def recorded(blocks: list[nn.Module]) -> Iterator[list]:
    """Keep what each block gives in the block of this context."""
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
