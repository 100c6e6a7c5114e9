"""Label and train many variants in one process, which reads the attention once."""

import contextlib
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
from jaxtyping import Float16, Int

from guess_or_recall.attention.reading import read_pooled
from guess_or_recall.classifier import result
from guess_or_recall.classifier.assessment import assess, read_evaluated
from guess_or_recall.errors import UserError
from guess_or_recall.io.files import atomic, read_json, write_json
from guess_or_recall.io.tables import write_table
from guess_or_recall.report.runs import reporting
from guess_or_recall.settings.yaml import dump_yaml
from guess_or_recall.sweep.declare import Setting
from guess_or_recall.taxonomy.candidates import Corpus
from guess_or_recall.taxonomy.labelling import labelled
from guess_or_recall.taxonomy.labels import read_labels

ATTENTION = Path("data/attention")


@dataclass(frozen=True)
class Job:
    """A variant with its sample."""

    setting: Setting
    table: pa.Table
    counts: dict

    @property
    def work(self) -> int:
        """What its training costs: samples through a CNN."""
        settings = self.setting.params.train
        cnns = len(settings.grid.kernel) * len(settings.grid.features) * len(settings.grid.pooling)
        return len(self.table) * cnns * settings.epochs


def jobs(settings: list[Setting], corpus: Corpus) -> tuple[list[Job], dict[str, str]]:
    """Draw the sample of every variant: those that can be filled, and why the others cannot."""
    found, failures = [], {}
    for setting in settings:
        try:
            with contextlib.redirect_stderr(io.StringIO()):  # "balanced" stands in the tables
                found.append(Job(setting, *labelled(setting.params, corpus)))
        except UserError as error:
            failures[setting.name] = str(error)
    return found, failures


class Attention:
    """Attention of the sequences of some jobs: read once, where it fits half of the memory."""

    def __init__(self, all_jobs: list[Job]):
        """Choose the sequences; nothing is read yet."""
        columns = [job.table["sequence_id"].to_numpy() for job in all_jobs]
        self.ids = np.unique(np.concatenate([np.empty(0, np.int64), *columns]))
        shape = read_json(ATTENTION / "provenance.json")
        needed = 4 * len(self.ids) * shape["layers"] * shape["packed"]
        self.shared = needed < psutil.virtual_memory().available / 2
        self.kept: dict[str, Float16[np.ndarray, "n layers packed"]] = {}

    def __call__(
        self, sequence_ids: Int[np.ndarray, " n"], poolings: Sequence[str]
    ) -> dict[str, np.ndarray]:
        """Attention of a sample, of the poolings that the grid uses."""
        return {pooling: self.read(pooling, sequence_ids) for pooling in poolings}

    def read(
        self, pooling: str, wanted: Int[np.ndarray, " n"]
    ) -> Float16[np.ndarray, "n layers packed"]:
        """Attention of some sequences."""
        if not self.shared:
            return read_pooled(ATTENTION, wanted, pooling)  # pyright: ignore
        if pooling not in self.kept:
            self.kept[pooling] = read_pooled(ATTENTION, self.ids, pooling)  # pyright: ignore
        return self.kept[pooling][np.searchsorted(self.ids, wanted)]


@contextmanager
def trained(job: Job, read: Attention, folder: Path, keep: bool) -> Iterator[tuple[Path, Path]]:
    """Train a job: the folder of the result, and the file of its labels."""
    labels_file = folder / job.setting.name / "data" / "label" / "labels.parquet"
    write_table(labels_file, job.table)
    params, labels = job.setting.params, read_labels(labels_file)
    work = result.Work(
        params.train, labels.labels, labels.is_eval, labels.classes, result.origin(labels_file)
    )
    attention = partial(read, labels.sequence_ids, params.train.grid.pooling)
    report = partial(reporting, params, labels_file, job.setting.sweep)
    with result.trained(work, attention, report, keep=keep, quiet=True) as folder_of_result:
        yield folder_of_result, labels_file


def finish(job: Job, read: Attention, folder: Path) -> None:
    """Train and evaluate a job: its metrics lie below `folder`/NAME as an experiment has them."""
    root = folder / job.setting.name
    params = job.setting.params
    with trained(job, read, folder, keep=False) as (folder_of_result, labels_file):
        labels = read_labels(labels_file)
        ids = labels.sequence_ids[labels.is_eval]
        evaluated = read_evaluated(folder_of_result, ids, labels.actual, labels.classes)
        assess(evaluated, params.evaluate.bootstrap, params.seed, root)
    with atomic(root / "params.yaml") as temporary:
        temporary.write_text(dump_yaml(job.setting.params.model_dump(mode="json")))
    write_json(root / "metrics" / "label.json", job.counts)  # last: says that all is there
