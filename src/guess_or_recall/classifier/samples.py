"""What the CNNs read: packed attention in memory, made square batch by batch."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float16, Int8, Int64
from torch import Tensor

from guess_or_recall.attention.triangle import unpack

Patterns = dict[str, Float[Tensor, "batch layers *pattern"]]  # of each pooling


@dataclass(frozen=True)
class Samples:
    """Attention of each pooling (on the device, if it fits there), classes and parts."""

    pooled: dict[str, Float16[Tensor, "n layers packed"]]
    labels: Int64[Tensor, " n"]  # where `pooled` is
    train: Int64[np.ndarray, " train"]  # rows
    eval: Int64[np.ndarray, " eval"]  # rows
    device: torch.device

    def patterns(self, poolings: list[str], rows: Int64[Tensor, " batch"]) -> Patterns:
        """Patterns of some samples in float32: packed on a GPU, channels-last squares on a CPU."""
        found = {name: self.pooled[name][rows].to(self.device).float() for name in poolings}
        if self.device.type == "cuda":
            return found
        squares = {name: unpack(packed) for name, packed in found.items()}
        return {
            name: square.contiguous(memory_format=torch.channels_last)
            for name, square in squares.items()
        }

    def rows(self, which: Int64[np.ndarray, " k"]) -> Int64[Tensor, " k"]:
        """Row numbers, where `pooled` is."""
        return torch.from_numpy(which).to(self.labels.device)

    @property
    def actual(self) -> Int64[np.ndarray, " eval"]:
        """Classes of the evaluation part."""
        return self.labels.cpu().numpy()[self.eval]


def prepare(
    pooled: dict[str, Float16[np.ndarray, "n layers packed"]],
    labels: Int8[np.ndarray, " n"],
    is_eval: Bool[np.ndarray, " n"],
    device: torch.device,
) -> Samples:
    """Put the samples on the device if they fit; else batches go there one by one."""
    tensors = {name: torch.from_numpy(values) for name, values in pooled.items()}
    wanted = torch.from_numpy(labels.astype(np.int64))
    needed = sum(tensor.nbytes for tensor in tensors.values())
    if device.type == "cuda" and needed < 0.7 * torch.cuda.mem_get_info(device)[0]:
        tensors = {name: tensor.to(device) for name, tensor in tensors.items()}
        wanted = wanted.to(device)
    return Samples(tensors, wanted, np.flatnonzero(~is_eval), np.flatnonzero(is_eval), device)
