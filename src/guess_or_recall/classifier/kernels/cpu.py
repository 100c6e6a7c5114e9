"""The CNN's forward and backward for a CPU: the same numbers as `Cnn.forward`, sooner.

Convolutions read channels-last maps, the first one skips what causality makes zero, and ReLU,
dropout and max-pooling are one function: PyTorch's own max_pool2d takes as long as a convolution.
"""

from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.nn.grad import conv2d_weight

from guess_or_recall.classifier.cnn import Cnn, Keeps

BANDS = 3  # of rows in the first convolution: more save little and cost calls


def logits(
    cnn: Cnn, patterns: Float[Tensor, "batch layers query key"], keeps: Keeps | None = None
) -> Float[Tensor, "batch classes"]:
    """What `cnn(patterns, keeps)` gives for causal patterns (zero where key > query)."""
    first, second = (None, None) if keeps is None else keeps[:2]
    scale = 1.0 if keeps is None else cnn.scale
    maps: Tensor = CausalConvolution.apply(patterns, last(cnn.conv1.weight), cnn.conv1.bias)
    maps = shrink(maps, first, cnn.sides[0])
    maps = F.conv2d(maps * scale, last(cnn.conv2.weight), cnn.conv2.bias)
    maps = shrink(maps, second, cnn.sides[1])
    return cnn.head(maps * scale, keeps)


def last(tensor: Tensor) -> Tensor:
    """The same values in channels-last memory."""
    return tensor.contiguous(memory_format=torch.channels_last)


def empty_maps(
    shape: tuple[int, ...], dtype: torch.dtype
) -> Float[Tensor, "batch features rows columns"]:
    """Maps of a shape [batch, features, rows, columns] in channels-last memory, to be filled."""
    return torch.empty(shape, dtype=dtype, memory_format=torch.channels_last)


def bands(length: int, kernel: int) -> list[tuple[int, int, int]]:
    """Bands of output rows [start, stop), and the columns in which they are not constant."""
    rows = length - kernel + 1
    edges = [rows * i // BANDS for i in range(BANDS + 1)]
    return [(start, stop, min(rows, stop + kernel - 1)) for start, stop in pairwise(edges)]


class CausalConvolution(torch.autograd.Function):
    """Convolution of causal patterns: where it sees only key > query, it gives its bias."""

    @staticmethod
    def forward(ctx: Any, patterns: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Maps of length - kernel + 1 rows and columns."""
        ctx.kernel, ctx.length = weight.shape[-1], patterns.shape[-1]
        grown, rows = ctx.kernel - 1, ctx.length - ctx.kernel + 1
        maps = empty_maps((len(patterns), len(weight), rows, rows), weight.dtype)
        parts = []
        for start, stop, columns in bands(ctx.length, ctx.kernel):
            part = last(patterns[..., start : stop + grown, : columns + grown])
            maps[..., start:stop, :columns] = F.conv2d(part, weight, bias)
            maps[..., start:stop, columns:] = bias[:, None, None]
            parts.append(part)
        ctx.save_for_backward(weight, *parts)
        return maps

    @staticmethod
    def backward(ctx: Any, grad_maps: Tensor) -> tuple[None, Tensor, Tensor]:  # pyright: ignore
        """Gradients of weight and bias; the patterns need none."""
        weight, *parts = ctx.saved_tensors
        grad = torch.zeros_like(weight)
        for (start, stop, columns), part in zip(bands(ctx.length, ctx.kernel), parts, strict=True):
            seen = last(grad_maps[..., start:stop, :columns])
            grad += conv2d_weight(part, weight.shape, seen)
        return None, grad, grad_maps.sum((0, 2, 3))


def shrink(maps: Tensor, keep: Tensor | None, side: int) -> Tensor:
    """ReLU - dropout (without its factor) - maxpool 2."""
    out: Tensor = Shrink.apply(maps, keep, side)  # pyright: ignore
    return out


class Shrink(torch.autograd.Function):
    """ReLU - dropout - maxpool 2 with its gradient.

    ReLU comes last here: max(relu(x) * keep) = relu(max(x * keep)), on a quarter of the values.
    """

    @staticmethod
    def forward(ctx: Any, maps: Tensor, keep: Tensor | None, side: int) -> Tensor:
        """Maps of `side` x `side`."""
        inner = maps[..., : 2 * side, : 2 * side]
        if keep is not None:
            inner = inner * keep
        rows = torch.maximum(inner[..., 0::2, :], inner[..., 1::2, :])
        out = torch.maximum(rows[..., 0::2], rows[..., 1::2]).relu_()
        ctx.save_for_backward(inner, rows, out)
        ctx.full = maps.shape
        return out

    @staticmethod
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore
        """The gradient goes to one maximum of each window, if that is positive."""
        inner, rows, out = ctx.saved_tensors
        height, width = inner.shape[2:]
        grad_rows = torch.empty_like(rows)
        split(
            grad_out * out.sign(), out, rows[..., 0::2], grad_rows[..., 0::2], grad_rows[..., 1::2]
        )
        grad = empty_maps(tuple(ctx.full), grad_out.dtype)
        grad[..., height:, :] = 0  # the odd last row and column
        grad[..., width:] = 0
        window = grad[..., :height, :width]
        split(grad_rows, rows, inner[..., 0::2, :], window[..., 0::2, :], window[..., 1::2, :])
        return grad, None, None


def split(
    grad: Tensor, maximum: Tensor, first: Tensor, to_first: Tensor, to_second: Tensor
) -> None:
    """Hand a gradient to the first of two if that is the maximum, else to the second.

    Signs instead of comparisons: booleans are slow here.
    """
    rest = (maximum - first).sign_().mul_(grad)
    to_second.copy_(rest)
    torch.sub(grad, rest, out=to_first)
