"""Small grids and samples to train on."""

import numpy as np
import torch

from guess_or_recall.attention.triangle import packed_size
from guess_or_recall.classifier.cnn import Architecture
from guess_or_recall.classifier.grid import train_grid
from guess_or_recall.classifier.samples import Sample
from guess_or_recall.classifier.training import Recipe

LENGTH = 24


GRID = [Architecture(k, f, p) for k in (4, 5) for f in (2, 3) for p in ("mean", "max")]


RECIPE = Recipe(epochs=2, batch=16, seed=7)
LONG = Recipe(epochs=12, batch=4, seed=7)


def data(n=120, layers=2):
    """Class 1 looks at the token before, class 2 at the first token."""
    random = np.random.default_rng(3)
    labels = (np.arange(n) % 3).astype(np.int8)
    squares = random.random((n, layers, LENGTH, LENGTH), np.float32) * 0.3
    squares[labels == 1, 0] += np.eye(LENGTH, k=-1)
    squares[labels == 2, 1, :, 0] += 1
    packed = squares[..., *np.tril_indices(LENGTH)].astype(np.float16)
    assert packed.shape[-1] == packed_size(LENGTH)
    pooled = {"mean": packed, "max": (packed * 2).astype(np.float16)}
    return pooled, labels, np.arange(n) % 4 == 3


def trained(grid, scratch, recipe=RECIPE, **options):
    scratch.mkdir(exist_ok=True)
    return train_grid(Sample(*data(), 3), grid, recipe, scratch, **options)


def same(first, second):
    assert np.array_equal(first.logits, second.logits)
    assert first.history == second.history
    assert first.weights.keys() == second.weights.keys()
    for cnn, parameters in first.weights.items():
        assert all(torch.equal(v, second.weights[cnn][name]) for name, v in parameters.items())
