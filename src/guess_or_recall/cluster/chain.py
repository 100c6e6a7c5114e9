"""A chain of jobs, from the sequences to the tables of some sweeps.

A chain is of one checkout, one commit, some sweeps and a number of parts of the attention. Its
folder .scratch/slurm/NAME holds chain.json, which is written whenever the chain is submitted,
variants.tsv and a log of every task. A task whose work is done ends at once, so that nobody needs
to know what became of the earlier ones: what is missing is submitted again as a whole.
"""

import hashlib
import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from guess_or_recall.cluster.settings import Settings
from guess_or_recall.errors import UserError
from guess_or_recall.io.files import atomic, read_json, write_json
from guess_or_recall.io.scratch import scratch_root, unusable
from guess_or_recall.settings.names import LONGEST_FILE, name_of_files
from guess_or_recall.sweep.declare import Setting
from guess_or_recall.sweep.overrides import override

STEPS = ("prepare", "extract", "merge", "variants", "tables")
LEFT = STEPS[:3]  # of the bar: once for all variants


@dataclass(frozen=True)
class Chain:
    """What the jobs are for."""

    name: str
    commit: str
    sweeps: list[str]
    changes: list[str]  # KEY=VALUE of all variants
    prefix: str
    parts: int
    variants: list[str]

    @property
    def folder(self) -> Path:
        """Where its record and its logs lie."""
        return root() / self.name

    def tasks(self, step: str) -> range:
        """Numbers of all tasks of a step, from 1."""
        count = {"extract": self.parts, "variants": len(self.variants)}.get(step, 1)
        return range(1, count + 1)

    def meaning(self, step: str, task: int) -> str:
        """What a task makes, in a word."""
        if step == "variants":
            return self.variants[task - 1]
        return f"part {task}/{self.parts}" if step == "extract" else ""

    def log(self, step: str, task: int) -> Path | None:
        """Where a task has said something, in the job that it wrote to last."""
        logs = self.folder.glob(f"{step}-*_{task}.log")
        return max(logs, key=lambda path: path.stat().st_mtime, default=None)

    def is_since_submission(self, log: Path) -> bool:
        """Whether a task has said something since the chain was last submitted."""
        return log.stat().st_mtime >= (self.folder / "chain.json").stat().st_mtime


def root() -> Path:
    """Folder of all chains."""
    return scratch_root() / "slurm"


def chain_of(
    commit: str,
    sweeps: list[str],
    changes: list[str],
    prefix: str,
    parts: int,
    variants: list[Setting],
) -> Chain:
    """The chain of these variants; its name tells it from all others, of other checkouts too."""
    lines = [listed(variant) for variant in variants]
    identity = json.dumps([str(Path.cwd()), commit, sweeps, prefix, parts, lines])
    digest = hashlib.sha256(identity.encode()).hexdigest()[:8]
    name = name_of_files("-".join([*sweeps, digest]), LONGEST_FILE)
    names = [variant.name for variant in variants]
    return Chain(name, commit, sweeps, changes, prefix, parts, names)


def listed(setting: Setting) -> str:
    """A variant as a line of variants.tsv: its name, its sweep, what it changes."""
    changes = [override(key, value) for key, value in setting.changes]
    return "\t".join([setting.name, setting.sweep, *changes])


def write_chain(chain: Chain, variants: Iterable[Setting] = ()) -> None:
    """Write a chain's record and its list of variants."""
    with atomic(chain.folder / "variants.tsv") as temporary:
        temporary.write_text("".join(listed(variant) + "\n" for variant in variants))
    write_json(chain.folder / "chain.json", vars(chain))


def recorded_chains() -> list[Chain]:
    """All chains of this repository, the one that was submitted last at the end."""
    records = sorted(root().glob("*/chain.json"), key=lambda path: path.stat().st_mtime)
    return [read_chain(path) for path in records]


def read_chain(path: Path) -> Chain:
    """Read a chain's record; UserError where it is damaged, or of another version."""
    try:
        return Chain(**read_json(path))
    except (TypeError, UserError) as error:
        raise unusable(path.parent, error) from None


def latest(name: str | None = None) -> Chain:
    """The chain of this name, or the one that was submitted last; UserError where there is none."""
    chains = {chain.name: chain for chain in recorded_chains()}
    if not chains:
        raise UserError(f"no chain of jobs in {root()}: `gor submit SWEEP` makes one")
    if name and name not in chains:
        raise UserError(f"no chain '{name}': there are {', '.join(chains)}")
    return chains[name or list(chains)[-1]]


def command(
    chain: Chain, step: str, tasks: Iterable[int], settings: Settings, waits: str, cache: str
) -> list[str]:
    """What sbatch is given for some tasks of a step.

    Args:
        chain: of the step.
        step: name of a script in slurm/.
        tasks: their numbers.
        settings: of the cluster.
        waits: the dependency, see `dependency`.
        cache: folder of DVC's cache.
    """
    throttle = f"%{settings.at_once}" if step == "variants" else ""
    arguments: Mapping[str, list[str]] = {
        "extract": [str(chain.parts)],
        "variants": [str(chain.folder / "variants.tsv"), cache],
        "tables": [*chain.sweeps, *(["--prefix", chain.prefix] if chain.prefix else [])],
    }
    return [
        f"--job-name={step}.{chain.name}",  # by which the queue is read
        f"--array={ranges(tasks)}{throttle}",
        *([f"--dependency={waits}", "--kill-on-invalid-dep=yes"] if waits else []),
        *resources(settings),
        *("--requeue", "--open-mode=append", f"--signal=B:USR1@{settings.notice}"),
        f"--output={chain.folder}/{step}-%A_%a.log",
        *(f"slurm/{step}.sbatch", chain.commit, *arguments.get(step, [])),
    ]


def dependency(step: str, jobs: Mapping[str, list]) -> str:
    """What a step waits for, of the jobs of each step that are in the queue.

    It is the success of the nearest step before it; but for the tables, in which a variant that
    failed is a hole, the end of the variants, and the success of what is left of them.
    """
    before = [earlier for earlier in STEPS[: STEPS.index(step)] if jobs.get(earlier)]
    if step == "tables" and "variants" in before:
        ended = ":".join(["afterany", *map(str, jobs["variants"])])
        return ",".join(filter(None, [dependency("variants", jobs), ended]))
    return ":".join(["afterok", *map(str, jobs[before[-1]])]) if before else ""


def resources(settings: Settings) -> list[str]:
    """What every task asks for."""
    options = {
        "account": settings.account,
        "partition": settings.partition,
        "gres": f"gpu:{settings.gpus}" if settings.gpus else "",
        "cpus-per-task": settings.cpus,
        "mem": settings.memory,
        "time": settings.time,
    }
    return [*(f"--{k}={v}" for k, v in options.items() if v), *shlex.split(settings.options)]


def ranges(numbers: Iterable[int]) -> str:
    """Numbers as sbatch reads them: 1-3,7."""
    pairs = groupby(enumerate(sorted(numbers)), lambda pair: pair[1] - pair[0])
    runs = [[number for _, number in run] for _, run in pairs]
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
