"""Random numbers of dropout, 16 bits a value on a CPU: drawing them must not cost a convolution."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from guess_or_recall.classifier.cnn import Cnn, Keeps


def draw_keeps(bits: np.random.BitGenerator, cnn: Cnn, batch: int, dropout: float) -> Keeps | None:
    """Draw the dropout of one batch on a CPU; its rate is exact to 1/32,768."""
    if not dropout:
        return None
    shapes = cnn.keep_shapes(batch)
    sizes = [math.prod(shape) for shape in shapes]
    words = torch.from_numpy(bits.random_raw(-(-sum(sizes) // 4)).view(np.int16))
    words &= 32767
    words -= round((1 - dropout) * 32768)  # negative where kept; comparisons are slower
    kept = ((words >> 15) & 1).float()
    return arrange(kept[: sum(sizes)].split(sizes), shapes)


def draw_keeps_on_device(
    generator: torch.Generator, cnn: Cnn, batch: int, dropout: float
) -> Keeps | None:
    """Draw the dropout of one batch on the generator's device."""
    if not dropout:
        return None
    shapes = cnn.keep_shapes(batch)
    sizes = [math.prod(shape) for shape in shapes]
    drawn = torch.rand(sum(sizes), generator=generator, device=generator.device)
    return arrange((drawn >= dropout).float().split(sizes), shapes)


def arrange(parts: Sequence[Tensor], shapes: list[tuple[int, ...]]) -> Keeps:
    """Give flat draws the shapes of `Keeps`; maps become channels-last tensors."""
    first, second, hidden = (part.view(shape) for part, shape in zip(parts, shapes, strict=True))
    return Keeps(first.permute(0, 3, 1, 2), second.permute(0, 3, 1, 2), hidden)
