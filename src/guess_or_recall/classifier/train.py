"""Train the grid of CNNs on the attention patterns of the current variant.

    python src/run.py train

Makes data/train/: cnns.safetensors, logits.safetensors, history.csv, cnns.json. An interrupted
run is taken up again after the last epoch of each CNN.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float16
from safetensors.torch import save_file

from guess_or_recall.attention.reading import read_pooled
from guess_or_recall.classifier.cnn import Architecture
from guess_or_recall.classifier.grid import Trained, architectures, train_grid
from guess_or_recall.classifier.training import Recipe
from guess_or_recall.device import device
from guess_or_recall.io.files import content_hash, existing, write_json
from guess_or_recall.io.scratch import scratch
from guess_or_recall.settings.train import Train
from guess_or_recall.taxonomy.labels import Labels, read_labels

DATA = Path("data")
LABELS = DATA / "label" / "labels.parquet"
LAST = "cnns.json"  # of the files of a result: where it stands, all do

Report = Callable[[], AbstractContextManager[Callable[[dict], None]]]
Read = Callable[[Labels, list[Architecture]], dict[str, Float16[np.ndarray, "n layers packed"]]]


@contextmanager
def trained(
    settings: Train,
    labels_file: Path,
    read: Read,
    report: Report,
    *,
    keep: bool = False,
    quiet: bool = False,
) -> Iterator[Path]:
    """Train the grid, unless a sweep or an interrupted run did so before: the folder of the result.

    Args:
        settings: of the training.
        labels_file: labels.parquet of the variant.
        read: gives the attention of the poolings that the grid uses, in the order of the labels.
        report: opens what the curves are reported to; they are reported again where a variant
            with the same sample was trained before.
        keep: leave the result in scratch for the stage, which then only publishes it.
        quiet: no progress bar.
    """
    labels, grid = read_labels(labels_file), architectures(**settings.grid.model_dump())
    recipe, where = recipe_of(settings), device()
    with scratch("train", *matters(settings, labels_file), where.type, keep=keep) as folder:
        result = folder / "result"
        if not (result / LAST).exists():
            pooled = read(labels, grid)
            layers = next(iter(pooled.values())).shape[1]
            with report() as log:
                sample = labels.labels, labels.is_eval, len(labels.classes)
                outcome = train_grid(pooled, *sample, grid, recipe, folder, where, log, quiet)
            write(result, outcome, grid, labels.classes, layers)
        elif keep:  # of a variant with the same sample
            with report() as log:
                replay(result, log)
        yield result


def replay(result: Path, log: Callable[[dict], None]) -> None:
    """Report the curves of a result, row by row."""
    for row in pd.read_csv(existing(result / "history.csv")).to_dict("records"):
        log(row)


def matters(settings: Train, labels_file: Path) -> list:
    """What the curves of a training depend on."""
    origin = content_hash(labels_file, DATA / "attention" / "provenance.json")
    grid = architectures(**settings.grid.model_dump())
    return [origin, [architecture.name for architecture in grid], asdict(recipe_of(settings))]


def read_attention(
    labels: Labels, grid: list[Architecture]
) -> dict[str, Float16[np.ndarray, "n layers packed"]]:
    """Read the poolings that the grid uses."""
    poolings = dict.fromkeys(each.pooling for each in grid)
    folder = DATA / "attention"
    return {pooling: read_pooled(folder, labels.sequence_ids, pooling) for pooling in poolings}


def recipe_of(train: Train) -> Recipe:
    """The recipe that params.yaml asks for."""
    return Recipe(**train.model_dump(exclude={"grid", "wandb"}))


def write(
    folder: Path, trained: Trained, grid: list[Architecture], classes: list[str], layers: int
) -> None:
    """Write the four files of data/train."""
    folder.mkdir(exist_ok=True)
    flat = {
        f"{cnn}/{name}": value.contiguous()
        for cnn, parameters in trained.weights.items()
        for name, value in parameters.items()
    }
    save_file(flat, folder / "cnns.safetensors")
    save_file({"logits": torch.from_numpy(trained.logits)}, folder / "logits.safetensors")
    pd.DataFrame(trained.history).to_csv(folder / "history.csv", index=False)
    cnns = {each.name: asdict(each) for each in grid}
    write_json(folder / LAST, {"grid": cnns, "classes": classes, "layers": layers})
