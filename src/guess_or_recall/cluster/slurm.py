"""SLURM's own commands: submit a job, and ask what waits or runs.

Sites put banners, sentences and colours around what these commands say, so that what is looked for
is taken out of any surroundings.
"""

import re
import subprocess
from typing import NamedTuple

from guess_or_recall.errors import UserError

FIELDS = "%j|%F|%K|%T|%r|%N"  # name, job, task, state, why it waits, node
LINE = re.compile(r"(\w+)\.([^|\n]+)\|(\d+)\|(\d+)\|(\w+)\|([^|\n]*)\|([^|\n]*)$", re.MULTILINE)
COLOUR = re.compile(r"\x1b\[[\d;]*[A-Za-z]|\r")
NUMBERS = (  # of a job, the surest form first
    re.compile(r"\bSubmitted batch job (\d+)\b"),
    re.compile(r"^\s*(\d+);[\w.-]+\s*$", re.MULTILINE),
    re.compile(r"^\s*(\d+)\s*$", re.MULTILINE),
)


class Queued(NamedTuple):
    """A task that SLURM still knows."""

    job: int
    state: str  # such as PENDING or RUNNING
    reason: str = ""
    node: str = ""


def slurm(*command: str) -> str:
    """Output of a command of SLURM; UserError where there is none, or it refuses."""
    try:
        ran = subprocess.run(command, check=True, capture_output=True, text=True, errors="replace")
        return COLOUR.sub("", ran.stdout)
    except FileNotFoundError:
        raise UserError(
            f"{command[0]} is not installed here: submit from a login node of a SLURM cluster, or "
            "run `gor sweep` on one machine"
        ) from None
    except subprocess.CalledProcessError as error:
        lines = COLOUR.sub("", error.stderr).strip().splitlines() or [f"status {error.returncode}"]
        said = next((line for line in lines if "error" in line.lower()), lines[0])
        raise UserError(f"{command[0]} refuses: {said.strip()}") from None


def sbatch(*arguments: str) -> int:
    """Submit a job, its name first: its number, of what sbatch says, or else of the queue.

    Raises:
        UserError: SLURM refuses, or the job may be in the queue under a number that nobody names.
    """
    said = slurm("sbatch", "--parsable", *arguments)
    for form in NUMBERS:
        if len(numbers := set(form.findall(said))) == 1:
            return int(numbers.pop())
    if not (jobs := jobs_called(arguments[0].removeprefix("--job-name="))):
        raise UserError(
            f"sbatch names no job, which may be in the queue all the same: {said.strip()!r}; look "
            "by `squeue --me` before you submit again"
        )
    return max(jobs)  # numbers grow


def jobs_called(name: str) -> list[int]:
    """Jobs in the queue that have a name, STEP.CHAIN; none where nobody can say."""
    step, _, chain = name.partition(".")
    try:
        known = queue().get(chain, {})
    except UserError:
        return []
    return [task.job for (step_of_task, _), task in known.items() if step_of_task == step]


def queue() -> dict[str, dict[tuple[str, int], Queued]]:
    """My tasks that wait or run: chain -> step and number of the task -> what SLURM knows."""
    chains: dict[str, dict[tuple[str, int], Queued]] = {}
    said = slurm("squeue", "--me", "--array", "--noheader", f"--format={FIELDS}")
    for step, chain, job, task, *known in LINE.findall(said):
        chains.setdefault(chain, {})[step, int(task)] = Queued(int(job), *known)
    return chains
