"""How long every stage will take that takes some time, by the rates of a trial."""

import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from guess_or_recall.attention.triangle import packed_size
from guess_or_recall.classifier.grid import architectures, train_grid
from guess_or_recall.classifier.result import recipe_of
from guess_or_recall.classifier.samples import Sample
from guess_or_recall.device import device
from guess_or_recall.plan.calibrate import Trial
from guess_or_recall.plan.needs import Needs
from guess_or_recall.settings.params import Params

CALIBRATED = 320  # samples on which the CNNs are tried


class Load(NamedTuple):
    """A part of what a stage has to do."""

    name: str
    rate: float  # items a second
    items: float
    published_seconds: float | None = None  # of the published method, where it differs


def loads_of_stages(params: Params, needs: Needs, trial: Trial, cnn_rate: float) -> list[Load]:
    """What the stages score, attention and train have to do."""
    published = params.score.source == "published"
    scored = params.score.recheck if published else needs.candidates
    in_pool = published or params.score.decode == "pool"
    grid = architectures(**params.train.grid.model_dump())
    samples = needs.summed * params.samples.train / (params.samples.train + params.samples.eval)
    published_seconds = needs.summed / trial.published
    return [
        Load("score, forward passes", trial.forward, scored),
        Load("score, continuations (at most)", trial.decode, needs.union if in_pool else scored),
        Load("attention", trial.attention, needs.union, published_seconds),
        Load("train, all variants", cnn_rate, samples * len(grid) * params.train.epochs),
    ]


def measured_cnn_rate(params: Params, layers: int) -> float:
    """Samples a second through one CNN of the grid, as the grid is trained; by its second epoch."""
    random, n = np.random.default_rng(0), CALIBRATED * 3 // 2
    shape = (n, layers, packed_size(params.sequences.total))
    grid = architectures(**params.train.grid.model_dump())
    poolings = dict.fromkeys(architecture.pooling for architecture in grid)
    pooled = {name: random.random(shape, np.float32).astype(np.float16) for name in poolings}
    labels, is_eval = (np.arange(n) % 3).astype(np.int8), np.arange(n) >= CALIBRATED
    recipe = recipe_of(params.train.model_copy(update={"epochs": 2}))
    ends: dict[int, float] = {}  # of the epochs

    def note(row: dict) -> None:
        ends[row["epoch"]] = time.perf_counter()

    with tempfile.TemporaryDirectory() as folder:
        sample = Sample(pooled, labels, is_eval, 3)
        train_grid(sample, grid, recipe, Path(folder), device(), note, quiet=True)
    return CALIBRATED * len(grid) / max(ends[2] - ends[1], 1e-9)
