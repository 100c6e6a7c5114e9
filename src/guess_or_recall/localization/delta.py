"""Δ maps: which attention the CNNs take for the sign of a class ("Guess or Recall?", localization).

For a sample of class t0, B[t] is the gradient of logit t with respect to the attention,
C = B[t0] - mean over the other t of B[t], D = max(C, 0) / max(C), and Δ is the maximum over heads
of D x A. Pooled attention is enough: for mean pooling D is the same for all heads, so that
max_h(D x A_h) = D x max_h(A_h); for max pooling the gradient goes to the head that has the maximum.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float16, Int8, Int64
from torch import Tensor, nn
from tqdm import tqdm

from guess_or_recall.attention.reading import read_pooled
from guess_or_recall.attention.store import POOLINGS
from guess_or_recall.attention.triangle import length_of, unpack
from guess_or_recall.classifier.cnn import Cnn, exact
from guess_or_recall.settings.localize import Localize

Gradients = Literal["guided", "plain"]
Pooled = dict[str, Float16[np.ndarray, "n layers packed"]]


class Deltas(NamedTuple):
    """Δ of every class, and what each sequence adds to it."""

    maps: Float[np.ndarray, "classes layers query key"]  # mean over sequences and CNNs
    profiles: Float[np.ndarray, "cnn n layers"]  # mean over positions


@contextmanager
def guided(cnn: Cnn) -> Iterator[None]:
    """Clip negative gradients at every ReLU in the block (Springenberg et al. 2015)."""

    def clip(module: nn.Module, grad_input: Any, grad_output: Any) -> tuple[Tensor]:
        return (grad_input[0].clamp(min=0),)

    relus = (cnn.relu1, cnn.relu2, cnn.relu3)
    handles = [relu.register_full_backward_hook(clip) for relu in relus]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def contrast(
    cnn: Cnn,
    patterns: Float[Tensor, "batch layers query key"],
    label: int,
    gradients: Gradients,
) -> Float[Tensor, "batch layers query key"]:
    """C of samples of one class: the gradient of its logit minus the mean of the other logits'.

    The first convolution is linear, so the gradients of its output are combined and go through it
    once.

    Args:
        cnn: in evaluation mode.
        patterns: attention pooled over heads as the CNN reads it.
        label: the class of the samples.
        gradients: `guided` backpropagation, or `plain` gradients.
    """
    maps = cnn.conv1(patterns).detach().requires_grad_()
    with torch.enable_grad(), guided(cnn) if gradients == "guided" else nullcontext():
        logits = cnn.after_conv1(maps)
        classes = logits.shape[1]
        weights = [1.0 if t == label else -1 / (classes - 1) for t in range(classes)]
        if gradients == "plain":
            [gradient] = torch.autograd.grad(
                logits @ logits.new_tensor(weights), maps, ones(logits)
            )
        else:
            parts = [
                torch.autograd.grad(logits[:, t], maps, ones(logits), retain_graph=True)[0]
                for t in range(classes)
            ]
            gradient = sum(weight * part for weight, part in zip(weights, parts, strict=True))
    return F.conv_transpose2d(gradient, cnn.conv1.weight)  # pyright: ignore


def ones(logits: Float[Tensor, "batch classes"]) -> Float[Tensor, " batch"]:
    """Weights that sum the logits of a batch: no sample's logit depends on another sample."""
    return logits.new_ones(len(logits))


def positive_share(
    contrast: Float[Tensor, "batch layers query key"],
) -> Float[Tensor, "batch layers query key"]:
    """D = max(C, 0) / max(C), the maximum over all of a sample; 0 where no C is positive."""
    positive = contrast.clamp(min=0)
    top = positive.amax((1, 2, 3), keepdim=True)
    return torch.where(top > 0, positive / top, 0)


def deltas(
    cnns: list[Cnn],
    pooled: Pooled,
    labels: Int8[np.ndarray, " n"],
    gradients: Gradients,
    batch: int,
    quiet: bool = False,
) -> Deltas:
    """Δ of each class, over some sequences and all CNNs.

    Args:
        cnns: in evaluation mode, on one device.
        pooled: mean and max over heads, lower triangles, of the sequences.
        labels: class of each sequence; the map of a class that has none is NaN.
        gradients: see `contrast`.
        batch: sequences at a time, which bounds the memory.
        quiet: no progress bar.
    """
    n, layers, packed = pooled["max"].shape
    classes, length = int(labels.max()) + 1, length_of(packed)
    device = cnns[0].conv1.weight.device
    maps = torch.zeros(classes, layers, length, length, dtype=torch.float64, device=device)
    profiles = torch.zeros(len(cnns), n, layers, device=device)
    bar = tqdm(total=n * len(cnns), desc="Δ maps", unit="sequence", disable=quiet)
    with exact(device), bar:
        for label, rows in batches(labels, batch):
            squares = {name: square(values[rows], device) for name, values in pooled.items()}
            for index, cnn in enumerate(cnns):
                patterns = squares[cnn.architecture.pooling]
                share = positive_share(contrast(cnn, patterns, label, gradients))
                delta = share * squares["max"]
                maps[label] += delta.sum(0, dtype=torch.float64)
                profiles[index, rows] = delta.mean((2, 3))
                bar.update(len(rows))
    counts = torch.from_numpy(np.bincount(labels, minlength=classes)).to(device)
    maps /= (counts * len(cnns))[:, None, None, None]
    return Deltas(maps.float().cpu().numpy(), profiles.cpu().numpy())


def deltas_in(
    store: Path,
    sequence_ids: Int64[np.ndarray, " n"],
    cnns: list[Cnn],
    labels: Int8[np.ndarray, " n"],
    settings: Localize,
) -> Deltas:
    """Δ of sequences whose attention is in a store: a folder of shards or a subset's file."""
    pooled = {pooling: read_pooled(store, sequence_ids, pooling) for pooling in POOLINGS}
    return deltas(cnns, pooled, labels, settings.gradients, settings.batch)


def batches(
    labels: Int8[np.ndarray, " n"], size: int
) -> Iterator[tuple[int, Int64[np.ndarray, " rows"]]]:
    """Rows of each class in turn, at most `size` of them at a time."""
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        for start in range(0, len(rows), size):
            yield int(label), rows[start : start + size]


def square(
    packed: Float16[np.ndarray, "rows layers packed"], device: torch.device
) -> Float[Tensor, "rows layers query key"]:
    """Packed patterns as squares in float32."""
    return unpack(torch.from_numpy(packed).to(device).float())
