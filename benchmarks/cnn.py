"""Speed of training a grid of CNNs, against one after another in a plain loop.

    python benchmarks/cnn.py
    python benchmarks/cnn.py --layers 36 --device cuda --samples 16000

The plain loop is the published way: torch.nn modules and a DataLoader, one CNN at a time, here
with its data in memory already. Both alternate, so that a busy machine slows both.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from guess_or_recall.attention.triangle import packed_size, unpack
from guess_or_recall.classifier.cnn import Architecture, initialised
from guess_or_recall.classifier.grid import architectures, train_grid
from guess_or_recall.classifier.samples import Sample
from guess_or_recall.classifier.training import Recipe
from guess_or_recall.settings.lengths import SEMANTIC_FILTERS

CLASSES, LENGTH = 3, SEMANTIC_FILTERS.total
EPOCHS = 3  # of the grid, as a study trains it; the plain loop, of even speed, trains one


class Patterns(Dataset):
    """Samples one by one, as a DataLoader wants them."""

    def __init__(self, pooled: torch.Tensor, labels: torch.Tensor):
        """Keep packed patterns and labels."""
        self.pooled, self.labels = pooled, labels

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.labels)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, torch.Tensor]:
        """One sample."""
        return unpack(self.pooled[row].float()), self.labels[row]


def plain_module(architecture: Architecture, sample: Sample) -> nn.Module:
    """The CNN of torch.nn modules."""
    cnn = initialised(architecture, sample.layers, sample.classes, sample.length, 0.5, 0)
    return nn.Sequential(
        *(cnn.conv1, nn.ReLU(), nn.Dropout(), nn.MaxPool2d(2)),
        *(cnn.conv2, nn.ReLU(), nn.Dropout(), nn.MaxPool2d(2), nn.Flatten()),
        *(cnn.linear1, nn.ReLU(), nn.Dropout(), cnn.linear2),
    )


def train_plain(sample: Sample, grid: list[Architecture], device: torch.device) -> None:
    """One epoch of each CNN, and its evaluation."""
    targets, is_eval = torch.from_numpy(sample.labels.astype(np.int64)), sample.is_eval
    for architecture in grid:
        packed = torch.from_numpy(sample.pooled[architecture.pooling])
        module = plain_module(architecture, sample).to(device)
        optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3, weight_decay=0.1)
        for patterns, labels in DataLoader(Patterns(packed[~is_eval], targets[~is_eval]), 16, True):
            loss = nn.functional.cross_entropy(module(patterns.to(device)), labels.to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        module.eval()
        with torch.no_grad():
            for patterns, _ in DataLoader(Patterns(packed[is_eval], targets[is_eval]), 16):
                module(patterns.to(device)).argmax(-1).cpu()


def train_together(sample: Sample, grid: list[Architecture], device: torch.device) -> None:
    """Three epochs of the grid, and an evaluation after each."""
    with tempfile.TemporaryDirectory() as folder:
        recipe = Recipe(epochs=EPOCHS)
        train_grid(sample, grid, recipe, Path(folder), device)


def seconds(work: Callable[[], None]) -> float:
    """Wall-clock time of one call."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    line = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    line.add_argument("--layers", type=int, default=8, help="of the language model (default 8)")
    line.add_argument("--samples", type=int, default=800, help="for training (default 800)")
    line.add_argument("--device", default="cpu", help="cpu or cuda (default cpu)")
    line.add_argument("--rounds", type=int, default=3, help="of both ways in turn (default 3)")
    line.add_argument("--kernel", type=int, nargs="+", default=[6, 8])
    line.add_argument("--features", type=int, nargs="+", default=[10, 16])
    line.add_argument("--pooling", nargs="+", default=["mean", "max"], choices=["mean", "max"])
    line.add_argument("--only-grid", action="store_true", help="leave out the plain loop")
    return line


def random_sample(options: argparse.Namespace) -> Sample:
    """Random attention of sequences, a third of them for evaluation."""
    random, n = np.random.default_rng(0), options.samples * 3 // 2
    shape = n, options.layers, packed_size(LENGTH)
    pooled = {
        name: random.random(shape, np.float32).astype(np.float16)
        for name in dict.fromkeys(options.pooling)
    }
    labels = (np.arange(n) % CLASSES).astype(np.int8)
    return Sample(pooled, labels, np.arange(n) >= options.samples, CLASSES)


def main() -> None:
    """Print one line of JSON."""
    options = parser().parse_args()
    sample = random_sample(options)
    grid = architectures(options.kernel, options.features, options.pooling)
    ways = {"grid": train_together} | ({} if options.only_grid else {"plain": train_plain})
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for name in [*ways] + [*ways] * options.rounds:  # the first of each warms up
        work = partial(ways[name], sample, grid, torch.device(options.device))
        taken[name].append(seconds(work))
    best = {name: min(times[1:]) for name, times in taken.items()}
    best["grid"] /= EPOCHS
    row = {"cnns": len(grid), "layers": options.layers, "device": options.device}
    for name in best:
        row[f"{name}_samples_per_s"] = round(len(grid) * options.samples / best[name])
    if "plain" in best:
        row["ratio"] = round(best["plain"] / best["grid"], 2)
    row["default_seconds"] = round(best["grid"] * 6000 * 3 / options.samples)
    print(json.dumps(row))


if __name__ == "__main__":
    main()
