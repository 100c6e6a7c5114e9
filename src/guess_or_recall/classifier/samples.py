"""What the CNNs read: packed attention in memory, made square batch by batch."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float16, Int8, Int64
from torch import Tensor

from guess_or_recall.attention.triangle import length_of, unpack

Patterns = dict[str, Float[Tensor, "batch layers *pattern"]]  # of each pooling


class Sample(NamedTuple):
    """The sequences of one variant: their attention, classes and parts."""

    pooled: dict[str, Float16[np.ndarray, "n layers packed"]]  # lower triangles of each pooling
    labels: Int8[np.ndarray, " n"]  # from 0
    is_eval: Bool[np.ndarray, " n"]  # for evaluation, not for training
    classes: int

    @property
    def layers(self) -> int:
        """Layers of the language model."""
        return next(iter(self.pooled.values())).shape[1]

    @property
    def length(self) -> int:
        """Tokens of a sequence."""
        return length_of(next(iter(self.pooled.values())).shape[2])


@dataclass(frozen=True)
class Batches:
    """A sample as batches are taken from it: on the device, if it fits there."""

    pooled: dict[str, Float16[Tensor, "n layers packed"]]
    labels: Int64[Tensor, " n"]  # where `pooled` is
    train: Int64[np.ndarray, " train"]  # rows
    eval: Int64[np.ndarray, " eval"]  # rows
    device: torch.device

    def patterns(self, poolings: list[str], rows: Int64[Tensor, " batch"]) -> Patterns:
        """Patterns of some sequences, float32: packed on a GPU, channels-last squares on a CPU."""
        packed = {name: self.pooled[name][rows].to(self.device).float() for name in poolings}
        if self.device.type == "cuda":
            return packed
        squares = {name: unpack(triangles) for name, triangles in packed.items()}
        return {
            name: square.contiguous(memory_format=torch.channels_last)
            for name, square in squares.items()
        }

    def rows(self, numbers: Int64[np.ndarray, " k"]) -> Int64[Tensor, " k"]:
        """Row numbers, where `pooled` is."""
        return torch.from_numpy(numbers).to(self.labels.device)

    @property
    def actual(self) -> Int64[np.ndarray, " eval"]:
        """Classes of the evaluation part."""
        return self.labels.cpu().numpy()[self.eval]


def batches_of(sample: Sample, device: torch.device) -> Batches:
    """Put a sample on the device if it fits; else batches go there one by one."""
    pooled = {name: torch.from_numpy(values) for name, values in sample.pooled.items()}
    labels = torch.from_numpy(sample.labels.astype(np.int64))
    needed = sum(tensor.nbytes for tensor in pooled.values())
    if device.type == "cuda" and needed < 0.7 * torch.cuda.mem_get_info(device)[0]:
        pooled = {name: tensor.to(device) for name, tensor in pooled.items()}
        labels = labels.to(device)
    train, evaluation = np.flatnonzero(~sample.is_eval), np.flatnonzero(sample.is_eval)
    return Batches(pooled, labels, train, evaluation, device)
