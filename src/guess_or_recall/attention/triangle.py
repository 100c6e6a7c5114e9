"""The lower triangle of an attention pattern as a vector.

A causal pattern is zero above its diagonal, so n(n+1)/2 of its n x n values say all: 2,080 of
4,096 for a sequence of 64 tokens.
"""

from functools import cache

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from guess_or_recall.errors import UserError


def packed_size(length: int) -> int:
    """Number of values in the lower triangle, diagonal included, of a pattern of `length`."""
    return length * (length + 1) // 2


def length_of(size: int) -> int:
    """Length of the sequence whose packed pattern has `size` values.

    Raises:
        UserError: no length has this size.
    """
    length = int((2 * size) ** 0.5)
    if packed_size(length) != size:
        raise UserError(f"{size} packed values are no lower triangle: n(n+1)/2 of some n is needed")
    return length


@cache
def cells(length: int, device: torch.device) -> Int64[Tensor, " packed"]:
    """Flat positions of the triangle in the square, row-major over (query, key <= query)."""
    with torch.inference_mode(False):  # an inference tensor could not serve a later training
        query, key = torch.tril_indices(length, length, device=device)
        return query * length + key


def pack(pattern: Shaped[Tensor, "*batch length length"]) -> Shaped[Tensor, "*batch packed"]:
    """Take the lower triangle [query, key <= query] of attention patterns, row-major."""
    length = pattern.shape[-1]
    assert pattern.shape[-2] == length, pattern.shape
    return pattern.flatten(-2).index_select(-1, cells(length, pattern.device))


def unpack(packed: Shaped[Tensor, "*batch packed"]) -> Shaped[Tensor, "*batch length length"]:
    """Put packed patterns back into squares, with zeros above the diagonal.

    Raises:
        UserError: the last dimension is no n(n+1)/2.
    """
    length = length_of(packed.shape[-1])
    square = packed.new_zeros(*packed.shape[:-1], length * length)
    square.index_copy_(-1, cells(length, packed.device), packed)
    return square.unflatten(-1, (length, length))
