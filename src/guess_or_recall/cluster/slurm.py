"""SLURM's own commands: submit a job, and ask what waits or runs."""

import re
import subprocess
from typing import NamedTuple

from guess_or_recall.errors import UserError

FIELDS = "%j|%F|%K|%T|%r|%N"  # name, job, task, state, why it waits, node
LINE = re.compile(r"^(\w+)\.([^|]+)\|(\d+)\|(\d+)\|(\w+)\|(.*)\|(.*)$", re.MULTILINE)
NUMBER = re.compile(r"^(?:Submitted batch job )?(\d+)(?:;\S+| on cluster \S+)?\s*$", re.MULTILINE)


class Queued(NamedTuple):
    """A task that SLURM still knows."""

    job: int
    state: str  # such as PENDING or RUNNING
    reason: str = ""
    node: str = ""


def slurm(*command: str) -> str:
    """Output of a command of SLURM; UserError where there is none, or it refuses."""
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except FileNotFoundError:
        raise UserError(
            f"{command[0]} is not installed here: submit from a login node of a SLURM cluster, or "
            "run `gor sweep` on one machine"
        ) from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().partition("\n")[0]
        raise UserError(f"{command[0]} refuses: {said}") from None


def sbatch(*arguments: str) -> int:
    """Submit a job; its number, which stands on a line of its own below what a site adds."""
    said = slurm("sbatch", "--parsable", *arguments)
    numbers = NUMBER.findall(said)
    if not numbers:
        raise UserError(f"sbatch names no job, which may be in the queue all the same: {said!r}")
    return int(numbers[-1])


def queue() -> dict[str, dict[tuple[str, int], Queued]]:
    """My tasks that wait or run: chain -> step and number of the task -> what SLURM knows."""
    chains: dict[str, dict[tuple[str, int], Queued]] = {}
    said = slurm("squeue", "--me", "--array", "--noheader", f"--format={FIELDS}")
    for step, chain, job, task, *known in LINE.findall(said):
        chains.setdefault(chain, {})[step, int(task)] = Queued(int(job), *known)
    return chains
