"""A chain of jobs, from the sequences to the tables of some sweeps, and its record on disk.

A chain is of one commit, some sweeps and a number of parts of the attention. Its folder
.scratch/slurm/NAME holds chain.json (what was submitted), variants.tsv and a log of every task.
"""

import hashlib
import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from guess_or_recall.cluster.settings import Settings
from guess_or_recall.errors import UserError
from guess_or_recall.io.files import atomic, read_json, write_json
from guess_or_recall.io.scratch import scratch_root
from guess_or_recall.sweep.declare import Setting

STEPS = ("prepare", "extract", "merge", "variants", "tables")
LEFT = STEPS[:3]  # of the bar: once for all variants


@dataclass(frozen=True)
class Chain:
    """What the jobs are for, and which were submitted."""

    name: str
    commit: str
    sweeps: list[str]
    changes: list[str]  # KEY=VALUE of all variants
    prefix: str
    parts: int
    variants: list[str]
    submitted: list[dict] = field(default_factory=list)  # step, job, tasks; the oldest first

    @property
    def folder(self) -> Path:
        """Where its record and its logs lie."""
        return root() / self.name

    def tasks(self, step: str) -> range:
        """Numbers of all tasks of a step, from 1."""
        count = {"extract": self.parts, "variants": len(self.variants)}.get(step, 1)
        return range(1, count + 1)

    def jobs(self, step: str) -> dict[int, int]:
        """The job in which each task of a step was submitted last."""
        jobs = [each for each in self.submitted if each["step"] == step]
        return {task: each["job"] for each in jobs for task in each["tasks"]}

    def log(self, step: str, job: int, task: int) -> Path:
        """Where a task writes what it says."""
        return self.folder / f"{step}-{job}_{task}.log"


def root() -> Path:
    """Folder of all chains."""
    return scratch_root() / "slurm"


def begun(
    commit: str,
    sweeps: list[str],
    changes: list[str],
    prefix: str,
    parts: int,
    variants: list[Setting],
) -> Chain:
    """The chain of these variants: as recorded, or a new one."""
    told = json.dumps([commit, sweeps, prefix, parts, [listed(each) for each in variants]])
    name = "-".join([*sweeps, hashlib.sha256(told.encode()).hexdigest()[:8]])
    if (root() / name / "chain.json").exists():
        return read_chain(name)
    names = [each.name for each in variants]
    return Chain(name, commit, sweeps, changes, prefix, parts, names)


def listed(setting: Setting) -> str:
    """A variant as a line of variants.tsv: its name, its sweep, what it changes."""
    changes = [f"{key}={value}" for key, value in setting.changes]
    return "\t".join([setting.name, setting.sweep, *changes])


def read_chain(name: str) -> Chain:
    """Read a chain's record."""
    return Chain(**read_json(root() / name / "chain.json"))


def recorded_chains() -> list[Chain]:
    """All chains of this repository, the one that was submitted last at the end."""
    found = sorted(root().glob("*/chain.json"), key=lambda path: path.stat().st_mtime)
    return [read_chain(path.parent.name) for path in found]


def latest(name: str | None = None) -> Chain:
    """The chain of this name, or the one that was submitted last; UserError where there is none."""
    found = recorded_chains()
    if not found:
        raise UserError(f"no chain of jobs in {root()}: `python src/run.py submit SWEEP` makes one")
    if not name:
        return found[-1]
    own = [each for each in found if each.name == name]
    if not own:
        raise UserError(f"no chain '{name}': there are {', '.join(each.name for each in found)}")
    return own[0]


def write_chain(chain: Chain, variants: Iterable[Setting] = ()) -> None:
    """Write a chain's record, and its list of variants where they are given."""
    chain.folder.mkdir(parents=True, exist_ok=True)
    lines = [listed(each) + "\n" for each in variants]
    if lines:
        with atomic(chain.folder / "variants.tsv") as temporary:
            temporary.write_text("".join(lines))
    write_json(chain.folder / "chain.json", vars(chain))


def command(
    chain: Chain,
    step: str,
    tasks: list[int],
    settings: Settings,
    waits: str,
    cache: str,
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
    return [
        f"--job-name={step}",
        f"--array={ranges(tasks)}{throttle}",
        *([f"--dependency={waits}", "--kill-on-invalid-dep=yes"] if waits else []),
        *resources(settings),
        *("--requeue", "--open-mode=append", f"--signal=B:USR1@{settings.notice}"),
        f"--output={chain.folder}/{step}-%A_%a.log",
        *(f"slurm/{step}.sbatch", chain.commit, *arguments(chain, step, cache)),
    ]


def dependency(step: str, jobs: Mapping[str, list]) -> str:
    """What a step waits for, of the jobs of each step that are in the queue.

    It is the success of the nearest step before it; but for the tables, in which a variant that
    failed is a hole, the end of the variants, and the success of what is left of them.
    """
    before = [one for one in STEPS[: STEPS.index(step)] if jobs[one]]
    if step == "tables" and "variants" in before:
        left = dependency("variants", jobs)
        return ",".join([*([left] if left else []), listed_jobs("afterany", jobs["variants"])])
    return listed_jobs("afterok", jobs[before[-1]]) if before else ""


def listed_jobs(condition: str, jobs: list) -> str:
    """A condition on jobs, as sbatch reads it."""
    return ":".join([condition, *map(str, jobs)])


def resources(settings: Settings) -> list[str]:
    """What every task asks for."""
    given = {
        "account": settings.account,
        "partition": settings.partition,
        "gres": f"gpu:{settings.gpus}" if settings.gpus else "",
        "cpus-per-task": settings.cpus,
        "mem": settings.memory,
        "time": settings.time,
    }
    return [*(f"--{k}={v}" for k, v in given.items() if v), *shlex.split(settings.options)]


def arguments(chain: Chain, step: str, cache: str) -> list[str]:
    """What a step's script is given, beside the commit."""
    given: Mapping[str, list[str]] = {
        "extract": [str(chain.parts)],
        "variants": [str(chain.folder / "variants.tsv"), cache],
        "tables": [*chain.sweeps, *(["--prefix", chain.prefix] if chain.prefix else [])],
    }
    return given.get(step, [])


def ranges(numbers: Iterable[int]) -> str:
    """Numbers as sbatch reads them: 1-3,7."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and found[-1][-1] == number - 1:
            found[-1][1:] = [number]
        else:
            found.append([number])
    return ",".join("-".join(map(str, pair)) for pair in found)
