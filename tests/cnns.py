"""CNNs and patterns for their tests."""

import torch

from guess_or_recall.classifier.cnn import initialised


def cnn_of(architecture, layers=2, classes=3, length=64, seed=1):
    return initialised(architecture, layers, classes, length, 0.5, seed)


def causal(batch, layers, length=64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.tril(torch.rand(batch, layers, length, length, generator=generator))
