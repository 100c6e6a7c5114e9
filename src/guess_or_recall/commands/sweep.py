"""Run sweeps of sweeps.yaml: `python src/run.py sweep benchmark rho`.

Every variant becomes a DVC experiment. This process labels and trains them one after another and
reads the attention once; DVC, beside it, takes over each result as the stage `train` would make it
and runs the rest. What is done already is left out, so an interrupted sweep goes on.
"""

import argparse
import fcntl
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from guess_or_recall.errors import UserError
from guess_or_recall.io.files import existing
from guess_or_recall.io.scratch import scratch_root
from guess_or_recall.report.runs import report_again
from guess_or_recall.settings.params import read_params
from guess_or_recall.settings.yaml import dump_yaml, parse_yaml
from guess_or_recall.sweep import experiments, together
from guess_or_recall.sweep.declare import Setting, changed, expand, overlaid, read_sweeps
from guess_or_recall.sweep.together import Attention, Job, jobs
from guess_or_recall.taxonomy.candidates import read_corpus
from guess_or_recall.taxonomy.declared import undeclared, way_out

ABOVE = ("train", "evaluate")  # sections that --set may change: no stage left of `label` reads them


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    made = argparse.ArgumentParser(prog="python src/run.py sweep", description=__doc__)
    made.formatter_class = argparse.RawDescriptionHelpFormatter
    add_choice(made)
    made.add_argument("--dry-run", action="store_true", help="list what would run")
    made.add_argument(
        "--folder",
        type=Path,
        help="write results below this folder instead of DVC experiments (for a node without DVC)",
    )
    return made


def add_choice(made: argparse.ArgumentParser) -> None:
    """Add the arguments that choose variants."""
    made.add_argument("names", nargs="*", metavar="SWEEP", help="of sweeps.yaml (default: all)")
    made.add_argument(
        *("-S", "--set"),
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a key of params.yaml below train or evaluate for all, "
        "such as train.grid.kernel=[6,8]; give a --prefix too",
    )
    made.add_argument("--prefix", default="", help="of the experiments' names")


def main(*arguments: str) -> None:
    """Run the variants that are not done.

    Raises:
        UserError: a sweep is wrong, another one runs here, or the workspace is not ready.
    """
    given = parser().parse_args(arguments)
    with alone("sweep"):  # also to list: another one changes params.yaml at moments
        sweep(given)


def sweep(given: argparse.Namespace) -> None:
    """Run, or list, the variants that are not done; see `main`."""
    experiments.restore_params()
    settings, base = declared(given.names, given.set, given.prefix)
    if given.folder:
        todo = [each for each in settings if not finished(given.folder, each)]
    else:
        experiments.require_clean()
        found = experiments.existing()
        todo = [each for each in settings if not experiments.done(each, found, base)]
    print(f"{len(settings)} variants: {len(settings) - len(todo)} done, {len(todo)} to run")
    if given.dry_run:
        print("\n".join(each.name for each in todo))
    else:
        report(run(todo, given.folder), len(todo))


def declared(names: list[str], changes: list[str], prefix: str) -> tuple[list[Setting], str]:
    """Variants of some sweeps, and the params.yaml that they change.

    Raises:
        UserError: the sweeps or the changes are wrong, or the pool does not hold a variant.
    """
    base = existing(Path("params.yaml")).read_text()
    own = dict(change_of(text) for text in changes)
    changed(base, own)
    text = dump_yaml(overlaid(parse_yaml(base, "params.yaml"), own))
    settings = [
        replace(each, changes=(*each.changes, *own.items()))
        for each in expand(read_sweeps(names), text, prefix)
    ]
    for each in settings:
        if undeclared(each.params):
            raise UserError(f"{each.name} is not in the pool: {way_out(each.params)}")
    return settings, base


def change_of(text: str) -> tuple[str, object]:
    """Read KEY=VALUE, the value in YAML."""
    key, equals, value = text.partition("=")
    if not equals or key.partition(".")[0] not in ABOVE:
        raise UserError(f"--set {text}: give KEY=VALUE with a key below {' or '.join(ABOVE)}")
    return key, parse_yaml(value, f"--set {text}")


def finished(folder: Path, setting: Setting) -> bool:
    """Whether a variant's results lie in a folder."""
    return (folder / setting.name / "metrics" / "label.json").exists()


@contextmanager
def alone(command: str) -> Iterator[None]:
    """Let a command run in a repository once at a time."""
    path = scratch_root() / f"{command}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"another {command} runs in this repository: wait for it") from None
        yield


def run(todo: list[Setting], folder: Path | None) -> dict[str, str]:
    """Run some variants; the reason of each that failed."""
    if not folder:
        experiments.require_upstream()
    ready, failures = jobs(todo, read_corpus())
    read = Attention(ready)
    total = sum(job.work for job in ready)
    with tqdm(total=total, unit="sample", unit_scale=True, desc="sweep") as bar:
        if folder:
            return failures | run_here(ready, read, folder, bar)
        return failures | run_recorded(ready, read, bar)


def run_here(ready: list[Job], read: Attention, folder: Path, bar: tqdm) -> dict[str, str]:
    """Train and evaluate variants in this process."""
    return attempt(ready, bar, lambda job: together.finish(job, read, folder))


def run_recorded(ready: list[Job], read: Attention, bar: tqdm) -> dict[str, str]:
    """Train variants in this process, and have DVC take over each while the next one trains."""
    futures: dict[str, Future[str | None]] = {}
    here = read_params()
    with ThreadPoolExecutor(1) as pool:

        def train(job: Job) -> None:
            prepared = None
            if job.setting.params == here and not experiments.stale("label", "train"):
                report_again(here, job.setting.sweep)  # DVC has the workspace's own
            else:
                root = scratch_root() / "sweep"
                with together.trained(job, read, root, keep=True) as (result, _):
                    prepared = result.parent
            futures[job.setting.name] = pool.submit(take_over, job.setting, prepared)

        try:
            failures = attempt(ready, bar, train)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    reasons = {name: future.result() for name, future in futures.items()}
    return failures | {name: reason for name, reason in reasons.items() if reason}


def take_over(setting: Setting, prepared: Path | None) -> str | None:
    """Have DVC record a trained variant; what it had no need of (a run in its cache) goes."""
    reason = experiments.record(setting)
    if prepared:
        shutil.rmtree(prepared, ignore_errors=True)
    return reason


def attempt(ready: list[Job], bar: tqdm, work: Callable[[Job], None]) -> dict[str, str]:
    """Do some work for every job; a failed one does not stop the others."""
    failures = {}
    for job in ready:
        bar.set_postfix_str(job.setting.name)
        try:
            work(job)
        except (UserError, RuntimeError) as error:
            failures[job.setting.name] = str(error)
        bar.update(job.work)
    return failures


def report(failures: dict[str, str], attempted: int) -> None:
    """Say what became of the sweep; UserError where nothing was done."""
    print(f"{attempted - len(failures)} variants done, {len(failures)} failed")
    for name, reason in failures.items():
        print(f"  {name}: {reason}", file=sys.stderr)
    if attempted and len(failures) == attempted:
        raise UserError("no variant could be run")
