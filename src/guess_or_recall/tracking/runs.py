"""The wandb run of a variant: one in each group, however often it is begun or reported."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from guess_or_recall.classifier.result import matters, origin, replay
from guess_or_recall.io import paths
from guess_or_recall.io.scratch import locked, repository, scratch_root, versions_of, work_name
from guess_or_recall.settings.params import Params, read_params
from guess_or_recall.taxonomy.variants import current_variant
from guess_or_recall.tracking.curves import Run, tracked


@contextmanager
def reporting(
    params: Params | None = None, labels_file: Path = paths.LABELS, group: str | None = None
) -> Iterator[Callable[[dict], None]]:
    """Open the run of a variant and give what reports a row of its history.

    A run without a group, such as of `dvc repro`, gives way to that of a sweep.

    Args:
        params: of the variant; those of params.yaml if none.
        labels_file: its labels.parquet.
        group: of runs, such as the sweep; WANDB_RUN_GROUP if none.
    """
    params = params or read_params()
    group = group or os.environ.get("WANDB_RUN_GROUP", "")
    name = run_name(params)
    parts = [name, versions_of("train"), *matters(params.train, origin(labels_file))]
    run_id, without_group = (work_name("run", label, *parts) for label in (group, ""))
    run = Run(name, params.model_dump(), repository(), run_id, group or None, [without_group])
    lock = scratch_root() / f"{without_group}.lock"
    with locked(lock), tracked(params.train.wandb, run) as log:
        yield log


def report_again(
    params: Params,
    group: str | None = None,
    labels_file: Path = paths.LABELS,
    result: Path = paths.TRAIN,
) -> None:
    """Report the curves of a result to wandb, such as of one that DVC had in its cache."""
    with reporting(params, labels_file, group) as log:
        replay(result, log)


def run_name(params: Params) -> str:
    """Name of the wandb run: that of the variant, and the seed of the training."""
    return f"{current_variant(params).name} seed={params.train.seed}"
