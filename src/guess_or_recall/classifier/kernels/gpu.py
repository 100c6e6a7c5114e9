"""The first convolution of several CNNs as one matrix product, for a GPU.

A convolution with few features keeps a GPU waiting for memory. CNNs of one kernel size that read
the same patterns share their windows here, and windows that see only key > query, which is zero,
are left out: 4 of 10.
"""

from functools import cache
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from guess_or_recall.attention.triangle import cells, length_of
from guess_or_recall.classifier.cnn import Cnn, Keeps


class Windows(NamedTuple):
    """Where a convolution sees something."""

    cells: Int64[Tensor, " cells"]  # packed cell (the last: zero) of each kernel cell and window
    maps: Int64[Tensor, " windows"]  # position in the flat map
    rows: int  # side of the map


@cache
def windows(length: int, kernel: int, device: torch.device) -> Windows:
    """Windows of a kernel that reach the lower triangle of a pattern of `length`."""
    rows = length - kernel + 1
    places = cells(length, device)
    packed = torch.full((length * length,), len(places), device=device)
    packed[places] = torch.arange(len(places), device=device)
    patches = packed.view(length, length).unfold(0, kernel, 1).unfold(1, kernel, 1)
    patches = patches.reshape(rows * rows, kernel * kernel)
    maps = (patches < len(places)).any(1).nonzero().flatten()
    return Windows(patches[maps].T.flatten(), maps, rows)


class WindowProduct(torch.autograd.Function):
    """Convolution of packed causal patterns; where it sees nothing it gives its bias."""

    @staticmethod
    def forward(ctx: Any, packed: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Maps [batch, features, rows, rows] of packed patterns [batch, layers, packed]."""
        seen = windows(length_of(packed.shape[-1]), weight.shape[-1], packed.device)
        padded = F.pad(packed, (0, 1))
        columns = padded.index_select(2, seen.cells).view(len(packed), -1, len(seen.maps))
        maps = bias[:, None].repeat(len(packed), 1, seen.rows**2)
        maps.index_copy_(2, seen.maps, batched(weight, columns, bias))
        ctx.save_for_backward(columns, weight)
        ctx.seen = seen
        return maps.view(len(packed), len(weight), seen.rows, seen.rows)

    @staticmethod
    def backward(ctx: Any, grad_maps: Tensor) -> tuple[None, Tensor, Tensor]:  # pyright: ignore
        """Gradients of weight and bias; the patterns need none."""
        columns, weight = ctx.saved_tensors
        grad = grad_maps.flatten(2).index_select(2, ctx.seen.maps)
        grad_weight = torch.bmm(grad, columns.transpose(1, 2)).sum(0)
        return None, grad_weight.view_as(weight), grad_maps.sum((0, 2, 3))


class Columns(torch.autograd.Function):
    """Windows of maps, as `F.unfold` gives them, in one copy instead of one for each sample."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, kernel: int) -> Tensor:
        """Columns [batch, features * kernel^2, windows]."""
        ctx.side, ctx.kernel = maps.shape[-1], kernel
        patches = maps.unfold(2, kernel, 1).unfold(3, kernel, 1)  # b f row column ky kx
        return patches.permute(0, 1, 4, 5, 2, 3).reshape(
            len(maps), maps.shape[1] * kernel**2, patches.shape[2] ** 2
        )

    @staticmethod
    def backward(ctx: Any, grad_columns: Tensor) -> tuple[Tensor, None]:  # pyright: ignore
        """Sum over the windows that hold a cell."""
        return F.fold(grad_columns, (ctx.side, ctx.side), ctx.kernel), None


def batched(weight: Tensor, columns: Tensor, bias: Tensor | None) -> Tensor:
    """Product of the kernels with the columns of every sample; `matmul` would copy the columns."""
    kernels = weight.flatten(1).expand(len(columns), -1, -1)
    return torch.baddbmm(bias[None, :, None], kernels, columns)  # pyright: ignore


def logits_together(
    cnns: list[Cnn], packed: Float[Tensor, "batch layers packed"], keeps: list[Keeps | None]
) -> list[Float[Tensor, "batch classes"]]:
    """What each CNN gives for the same patterns; all have one kernel size."""
    weight = torch.cat([cnn.conv1.weight for cnn in cnns])
    bias = torch.cat([cnn.conv1.bias for cnn in cnns])  # pyright: ignore
    maps: Tensor = WindowProduct.apply(packed, weight, bias)  # pyright: ignore
    parts = maps.split([cnn.architecture.features for cnn in cnns], 1)
    return [rest(*triple) for triple in zip(cnns, parts, keeps, strict=True)]


def rest(
    cnn: Cnn, maps: Float[Tensor, "batch features rows columns"], keeps: Keeps | None
) -> Float[Tensor, "batch classes"]:
    """Logits from what the first convolution gives.

    The second one is a product too: the gradient of cuDNN's, if repeatable, takes as long as all
    of the first.
    """
    first, second = (None, None) if keeps is None else keeps[:2]
    maps = cnn.shrink(F.relu(maps), first, cnn.sides[0])
    columns: Tensor = Columns.apply(maps, cnn.architecture.kernel)  # pyright: ignore
    product = batched(cnn.conv2.weight, columns, cnn.conv2.bias)
    rows = cnn.sides[0] - cnn.architecture.kernel + 1
    maps = F.relu(product.unflatten(2, (rows, rows)))
    return cnn.head(cnn.shrink(maps, second, cnn.sides[1]), keeps)
