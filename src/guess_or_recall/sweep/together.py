"""Label and train many variants in one process, which reads the attention once."""

import math
import shutil
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
from jaxtyping import Float16, Int
from tqdm import tqdm

from guess_or_recall.attention.reading import read_pooled
from guess_or_recall.classifier import result
from guess_or_recall.classifier.assessment import assess
from guess_or_recall.errors import UserError
from guess_or_recall.io.files import atomic, read_json, write_json
from guess_or_recall.io.paths import ATTENTION, LABELS, PROVENANCE, metrics_of
from guess_or_recall.io.scratch import scratch_root
from guess_or_recall.io.tables import write_table
from guess_or_recall.settings.params import Params, read_params
from guess_or_recall.settings.yaml import dump_yaml
from guess_or_recall.sweep import experiments
from guess_or_recall.sweep.declare import Setting
from guess_or_recall.taxonomy.candidates import Population, read_population
from guess_or_recall.taxonomy.labelling import labelled
from guess_or_recall.taxonomy.labels import read_labels
from guess_or_recall.tracking.runs import report_again, reporting

ReadPooled = Callable[[Int[np.ndarray, " n"], str], Float16[np.ndarray, "n layers packed"]]


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
        grid = settings.grid
        cnns = math.prod(map(len, (grid.kernel, grid.features, grid.pooling)))
        return len(self.table) * cnns * settings.epochs


def run(todo: list[Setting], folder: Path | None) -> dict[str, str]:
    """Run some variants, each without regard to whether others fail.

    Args:
        todo: the variants.
        folder: of their results; without one they become experiments.

    Returns:
        Why those that failed did, by name; the log that a reason names has the traceback.
    """
    if not folder:
        experiments.require_upstream()
    failures: dict[str, str] = {}
    jobs = drawn(todo, read_population(), failures)
    read = reader(jobs)
    total = sum(job.work for job in jobs)
    with tqdm(total=total, unit="sample", unit_scale=True, desc="sweep") as bar:
        if folder:
            for job in working(jobs, bar):
                with kept(job.setting.name, failures):
                    finish(job, read, folder)
        else:
            record_all(jobs, read, bar, failures)
    return failures


def drawn(todo: list[Setting], population: Population, failures: dict[str, str]) -> list[Job]:
    """Draw the sample of every variant for which there are enough sequences."""
    jobs = []
    for setting in todo:
        with kept(setting.name, failures):
            jobs.append(Job(setting, *labelled(setting.params, population)))
    return jobs


def working(jobs: list[Job], bar: tqdm) -> Iterator[Job]:
    """Show each job while it is worked on."""
    for job in jobs:
        bar.set_postfix_str(job.setting.name)
        yield job
        bar.update(job.work)


@contextmanager
def kept(name: str, failures: dict[str, str]) -> Iterator[None]:
    """Note that a variant failed, instead of the whole sweep; its traceback goes into its log."""
    try:
        yield
    except Exception as error:
        log = experiments.log_of(name)
        with atomic(log) as temporary:
            temporary.write_text(traceback.format_exc())
        said = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        failures[name] = f"{said} (all of it: {log})"


def record_all(jobs: list[Job], read: ReadPooled, bar: tqdm, failures: dict[str, str]) -> None:
    """Train variants in this process, and have DVC take over each while the next one trains."""
    here = read_params()
    recording: dict[str, Future[str | None]] = {}
    with ThreadPoolExecutor(1) as pool:
        try:
            for job in working(jobs, bar):
                with kept(job.setting.name, failures):
                    scratch = prepared(job, read, here)
                    recording[job.setting.name] = pool.submit(take_over, job.setting, scratch)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    for name, future in recording.items():
        with kept(name, failures):
            if reason := future.result():
                failures[name] = reason


def prepared(job: Job, read: ReadPooled, here: Params) -> Path | None:
    """Train a job for the stage to take over: the scratch folder of the result.

    DVC has that of the workspace's own variant, which is reported alone.
    """
    if job.setting.params == here and not experiments.stale("label", "train"):
        report_again(here, job.setting.sweep)
        return None
    with trained(job, read, scratch_root() / "sweep", keep=True) as (folder_of_result, _):
        return folder_of_result.parent


def take_over(setting: Setting, scratch: Path | None) -> str | None:
    """Have DVC record a trained variant; what it had no need of (a run in its cache) goes."""
    reason = experiments.record(setting)
    if scratch and scratch.exists():
        shutil.rmtree(scratch)
    return reason


def reader(all_jobs: list[Job]) -> ReadPooled:
    """What gives attention of the jobs' sequences, read once where it fits half of the memory."""
    columns = [job.table["sequence_id"].to_numpy() for job in all_jobs]
    ids = np.unique(np.concatenate([np.empty(0, np.int64), *columns]))
    shape = read_json(PROVENANCE)
    needed = 4 * len(ids) * shape["layers"] * shape["packed"]
    if needed >= psutil.virtual_memory().available / 2:
        return partial(read_pooled, ATTENTION)
    whole = cache(partial(read_pooled, ATTENTION, ids))
    return lambda wanted, pooling: whole(pooling)[np.searchsorted(ids, wanted)]


@contextmanager
def trained(job: Job, read: ReadPooled, folder: Path, keep: bool) -> Iterator[tuple[Path, Path]]:
    """Train a job: the folder of the result, and the file of its labels."""
    labels_file = folder / job.setting.name / LABELS
    write_table(labels_file, job.table)
    params, labels = job.setting.params, read_labels(labels_file)
    training = result.Training(params.train, labels, result.origin(labels_file))

    def attention() -> dict[str, Float16[np.ndarray, "n layers packed"]]:
        return {name: read(labels.sequence_ids, name) for name in params.train.grid.pooling}

    report = partial(reporting, params, labels_file, job.setting.sweep)
    with result.trained(training, attention, report, keep=keep, quiet=True) as folder_of_result:
        yield folder_of_result, labels_file


def finish(job: Job, read: ReadPooled, folder: Path) -> None:
    """Train and evaluate a job: its metrics lie below `folder`/NAME as an experiment has them."""
    root = folder / job.setting.name
    params = job.setting.params
    with trained(job, read, folder, keep=False) as (folder_of_result, labels_file):
        assess(folder_of_result, read_labels(labels_file), params, root)
    with atomic(root / "params.yaml") as temporary:
        temporary.write_text(dump_yaml(job.setting.params.model_dump(mode="json")))
    write_json(root / metrics_of("label"), job.counts)  # last: says that all is there
