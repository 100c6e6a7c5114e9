"""Train the grid of CNNs on the attention patterns of the current variant.

    python src/run.py train

Makes data/train/: cnns.safetensors, logits.safetensors, history.csv, cnns.json. An interrupted
run is taken up again after the last epoch of each CNN.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float16
from safetensors.torch import save_file

from guess_or_recall.attention.store import read_pooled
from guess_or_recall.classifier.cnn import Architecture
from guess_or_recall.classifier.grid import Trained, architectures, train_grid
from guess_or_recall.classifier.training import Recipe
from guess_or_recall.io.files import (
    content_hash,
    existing,
    locked,
    repository,
    scratch,
    scratch_root,
    work_name,
    write_json,
)
from guess_or_recall.report.tracking import tracked
from guess_or_recall.settings.params import Params, Train
from guess_or_recall.taxonomy.labels import Labels, read_labels

DATA = Path("data")
LABELS = DATA / "label" / "labels.parquet"
LAST = "cnns.json"  # of the files of a result: where it stands, all do

Read = Callable[[Labels, list[Architecture]], dict[str, Float16[np.ndarray, "n layers packed"]]]


@contextmanager
def trained(
    params: Params,
    labels_file: Path,
    read: Read,
    *,
    keep: bool = False,
    quiet: bool = False,
    group: str | None = None,
) -> Iterator[Path]:
    """Train the grid, unless a sweep or an interrupted run did so before: the folder of the result.

    Args:
        params: of the variant.
        labels_file: its labels.parquet.
        read: gives the attention of the poolings that the grid uses, in the order of the labels.
        keep: leave the result in scratch for the stage, which then only publishes it.
        quiet: no progress bar.
        group: of wandb runs.
    """
    labels, grid = read_labels(labels_file), architectures(**params.train.grid.model_dump())
    recipe, where = recipe_of(params.train), device()
    with scratch("train", *matters(params, labels_file), where.type, keep=keep) as folder:
        result = folder / "result"
        if not (result / LAST).exists():
            pooled = read(labels, grid)
            layers = next(iter(pooled.values())).shape[1]
            with reporting(params, labels_file, group) as log:
                sample = labels.labels, labels.is_eval, len(labels.classes)
                found = train_grid(pooled, *sample, grid, recipe, folder, where, log, quiet)
            write(result, found, grid, labels.classes, layers)
        elif keep:  # of a variant with the same sample
            report_again(params, group, labels_file, result)
        yield result


def matters(params: Params, labels_file: Path) -> list:
    """What the curves of a training depend on."""
    origin = content_hash(labels_file, DATA / "attention" / "provenance.json")
    grid = architectures(**params.train.grid.model_dump())
    return [origin, [each.name for each in grid], asdict(recipe_of(params.train))]


@contextmanager
def reporting(
    params: Params, labels_file: Path, group: str | None
) -> Iterator[Callable[[dict], None]]:
    """The wandb run of a variant: one in each group, however often it is begun or reported.

    One without a group, such as of `dvc repro`, gives way to that of a sweep.
    """
    name, mode = variant(params), params.train.wandb
    group = group or os.environ.get("WANDB_RUN_GROUP", "")
    parts = [name, *matters(params, labels_file)]
    run, plain = (work_name("run", each, *parts) for each in (group, ""))
    given = name, params.model_dump(), repository(), run, group or None, [plain]
    with locked(scratch_root() / f"{plain}.lock"), tracked(mode, *given) as log:
        yield log


def report_again(
    params: Params,
    group: str | None = None,
    labels_file: Path = LABELS,
    result: Path = DATA / "train",
) -> None:
    """Report the curves of a result to wandb, such as of one that DVC had in its cache."""
    history = pd.read_csv(existing(result / "history.csv"))
    with reporting(params, labels_file, group) as log:
        for row in history.to_dict("records"):
            log(row)


def device() -> torch.device:
    """Where CNNs are trained."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


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


def variant(params: Params) -> str:
    """Name of the variant, which is the name of its wandb run."""
    own = [f"{key}={getattr(params, key)}" for key in ("rho_l", "rho_3")]
    own = [text for text in own if not text.endswith("=rho")]
    repeat = [f"seed={params.train.seed}"]
    return " ".join([params.taxonomy, f"delta={params.delta}", f"rho={params.rho}", *own, *repeat])


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
