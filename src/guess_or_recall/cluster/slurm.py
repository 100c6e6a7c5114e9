"""SLURM's own commands: submit a job, and ask what waits or runs."""

import subprocess
from typing import NamedTuple

from guess_or_recall.errors import UserError

FIELDS = "%F|%K|%T|%r|%N"  # job, task, state, why it waits, node


class Queued(NamedTuple):
    """A task that SLURM still knows."""

    state: str  # such as PENDING or RUNNING
    reason: str
    node: str


def slurm(*command: str) -> str:
    """Output of a command of SLURM; UserError where there is none, or it refuses."""
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except FileNotFoundError:
        raise UserError(
            f"{command[0]} is not installed here: submit from a login node of a SLURM cluster, or "
            "run `python src/run.py sweep` on one machine"
        ) from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().partition("\n")[0]
        raise UserError(f"{command[0]} refuses: {said}") from None


def sbatch(*arguments: str) -> int:
    """Submit a job; its number."""
    return int(slurm("sbatch", "--parsable", *arguments).partition(";")[0])


def queue() -> dict[tuple[int, int], Queued]:
    """My tasks that wait or run, by job and task."""
    found = {}
    for line in slurm("squeue", "--me", "--array", "--noheader", f"--format={FIELDS}").splitlines():
        job, task, *rest = line.strip().split("|")
        if task.isdecimal():
            found[int(job), int(task)] = Queued(*rest)
    return found
