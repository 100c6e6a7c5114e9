"""Training the grid once for each variant: a result that scratch has is not made again."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float16
from safetensors.torch import save_file

from guess_or_recall.classifier.cnn import Architecture
from guess_or_recall.classifier.grid import Trained, architectures, train_grid
from guess_or_recall.classifier.labelled import Labelled
from guess_or_recall.classifier.samples import Sample
from guess_or_recall.classifier.saved import save_weights
from guess_or_recall.classifier.training import Recipe
from guess_or_recall.device import device
from guess_or_recall.io import paths, schemas
from guess_or_recall.io.files import content_hash, write_csv, write_json
from guess_or_recall.io.scratch import scratch
from guess_or_recall.io.tables import read_csv
from guess_or_recall.settings.train import Train

Read = Callable[[], dict[str, Float16[np.ndarray, "n layers packed"]]]
Report = Callable[[], AbstractContextManager[Callable[[dict], None]]]


@dataclass(frozen=True)
class Training:
    """A training: its settings, and the labels of the sequences."""

    settings: Train
    labels: Labelled
    origin: str  # see `origin`


def origin(labels_file: Path) -> str:
    """Hash of the labels and of what the attention was made from."""
    return content_hash(labels_file, paths.PROVENANCE)


def grid_of(settings: Train) -> list[Architecture]:
    """The CNNs that params.yaml asks for; UserError where one stands there twice."""
    return architectures(**settings.grid.model_dump())


def recipe_of(settings: Train) -> Recipe:
    """The recipe that params.yaml asks for."""
    return Recipe(**settings.model_dump(exclude={"grid", "wandb"}))


def matters(settings: Train, origin: str) -> list:
    """What the curves of a training depend on."""
    names = [architecture.name for architecture in grid_of(settings)]
    return [origin, names, asdict(recipe_of(settings))]


@contextmanager
def trained(
    training: Training, read: Read, report: Report, *, keep: bool = False, quiet: bool = False
) -> Iterator[Path]:
    """Train the grid, unless a sweep or an interrupted run did so before: the folder of the result.

    Args:
        training: what is trained.
        read: gives the attention of the poolings that the grid uses, in the order of the labels.
        report: opens what the curves are reported to; they are reported again where a variant
            with the same sample was trained before.
        keep: leave the result in scratch for the stage, which then only publishes it.
        quiet: no progress bar.
    """
    key, place = matters(training.settings, training.origin), device()
    with scratch("train", *key, place.type, keep=keep) as folder:
        result = folder / "result"
        if not (result / paths.CNNS.name).exists():
            labels, classes = training.labels, training.labels.classes
            sample = Sample(read(), labels.labels, labels.is_eval, len(classes))
            grid, recipe = grid_of(training.settings), recipe_of(training.settings)
            with report() as log:
                outcome = train_grid(sample, grid, recipe, folder, place, log, quiet)
            save(result, outcome, grid, sample, classes)
        elif keep:  # of a variant with the same sample
            with report() as log:
                replay(result, log)
        yield result


def save(
    folder: Path, outcome: Trained, grid: list[Architecture], sample: Sample, classes: list[str]
) -> None:
    """Write the four files of data/train; where cnns.json stands, all do."""
    folder.mkdir(exist_ok=True)
    save_weights(folder / paths.WEIGHTS.name, outcome.weights)
    save_file({"logits": torch.from_numpy(outcome.logits)}, folder / paths.LOGITS.name)
    write_csv(folder / paths.HISTORY.name, pd.DataFrame(outcome.history), schemas.HISTORY)
    described = {
        "grid": {architecture.name: asdict(architecture) for architecture in grid},
        "classes": classes,
        "layers": sample.layers,
        "length": sample.length,
    }
    write_json(folder / paths.CNNS.name, described)


def replay(result: Path, log: Callable[[dict], None]) -> None:
    """Report the curves of a result, row by row."""
    for row in read_csv(result / paths.HISTORY.name, schemas.HISTORY).to_dict("records"):
        log(row)
