"""The wandb run of a variant: one in each group, however often it is begun or reported."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from guess_or_recall.classifier.train import DATA, LABELS, matters, replay
from guess_or_recall.io.scratch import locked, repository, scratch_root, work_name
from guess_or_recall.report.tracking import tracked
from guess_or_recall.settings.params import Params, read_params


@contextmanager
def reporting(
    params: Params | None = None, labels_file: Path = LABELS, group: str | None = None
) -> Iterator[Callable[[dict], None]]:
    """Open the run of a variant and give what reports a row of its history.

    A run without a group, such as of `dvc repro`, gives way to that of a sweep.

    Args:
        params: of the variant; those of params.yaml if none.
        labels_file: its labels.parquet.
        group: of runs, such as the sweep; WANDB_RUN_GROUP if none.
    """
    params = params or read_params()
    name, mode = variant_name(params), params.train.wandb
    group = group or os.environ.get("WANDB_RUN_GROUP", "")
    parts = [name, *matters(params.train, labels_file)]
    run, plain = (work_name("run", label, *parts) for label in (group, ""))
    settings = name, params.model_dump(), repository(), run, group or None, [plain]
    with locked(scratch_root() / f"{plain}.lock"), tracked(mode, *settings) as log:
        yield log


def report_again(
    params: Params,
    group: str | None = None,
    labels_file: Path = LABELS,
    result: Path = DATA / "train",
) -> None:
    """Report the curves of a result to wandb, such as of one that DVC had in its cache."""
    with reporting(params, labels_file, group) as log:
        replay(result, log)


def variant_name(params: Params) -> str:
    """Name of the variant, which is the name of its wandb run."""
    thresholds = [f"{key}={getattr(params, key)}" for key in ("rho_l", "rho_3")]
    thresholds = [text for text in thresholds if not text.endswith("=rho")]
    parts = [params.taxonomy, f"delta={params.delta}", f"rho={params.rho}", *thresholds]
    return " ".join([*parts, f"seed={params.train.seed}"])
