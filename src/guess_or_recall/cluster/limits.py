"""What a cluster allows, asked before anything is queued: `require_allowed(wanted, settings)`.

What a cluster does not tell is not checked: SLURM itself then refuses the first job, which asks for
the same as all others, and nothing is queued either.
"""

import getpass
import re
from collections.abc import Mapping, Sequence

from guess_or_recall.cluster.settings import SETTINGS, Settings, seconds
from guess_or_recall.cluster.slurm import slurm
from guess_or_recall.errors import UserError

ARRAY = re.compile(r"^\s*MaxArraySize\s*=\s*(\d+)", re.MULTILINE)
PARTITION = re.compile(r"([^\s|]+)\|([a-z]+)\|(\S+)\s*$", re.MULTILINE)
LIMIT = re.compile(r"(\d+-)?\d+(:\d\d){0,2}")  # a time; without one there is no limit
JOB = re.compile(r"^\s*\d+\s*$", re.MULTILINE)
CLOSED = ("drain", "inact")  # states of a partition that takes no jobs
ASSOCIATION = re.compile(r"([\w.-]*)\|(\d*)\|(\d*)\s*$", re.MULTILINE)


def require_allowed(wanted: Mapping[str, Sequence[int]], settings: Settings) -> None:
    """Refuse what SLURM would refuse after some of the jobs are queued already.

    Args:
        wanted: numbers of the tasks of each step.
        settings: of the cluster.

    Raises:
        UserError: an array, the number of tasks, the partition or the time limit is not allowed.
    """
    require_arrays(wanted, asked("scontrol", "show", "config"))
    require_partition(settings, asked("sinfo", "--all", "--noheader", "--format=%R|%a|%l"))
    fields = "format=account,maxsubmitjobs,grpsubmitjobs"
    which = ("show", "associations", f"user={getpass.getuser()}", fields)
    limits = asked("sacctmgr", "--noheader", "--parsable2", *which)
    queued = len(JOB.findall(asked("squeue", "--me", "--array", "--noheader", "--format=%A")))
    require_room(sum(map(len, wanted.values())), queued, settings, limits)


def asked(*command: str) -> str:
    """What a command of SLURM says; nothing where it says no more than that it cannot."""
    try:
        return slurm(*command)
    except UserError:
        return ""


def require_arrays(wanted: Mapping[str, Sequence[int]], config: str) -> None:
    """Refuse numbers of tasks that no array may have; the highest of them counts."""
    if not (limit := ARRAY.search(config)):
        return
    most = int(limit[1]) - 1
    if most < 0 and any(wanted.values()):
        raise UserError("this cluster allows no arrays (MaxArraySize = 0): run `gor sweep`")
    for step, numbers in wanted.items():
        if max(numbers, default=0) > most:
            way_out = f"lower PARTS in {SETTINGS}" if step == "extract" else "submit fewer sweeps"
            raise UserError(
                f"step {step} has {max(numbers):,} tasks, and this cluster allows arrays up to "
                f"number {most:,} (MaxArraySize = {limit[1]}): {way_out}, or run `gor sweep`"
            )


def require_partition(settings: Settings, said: str) -> None:
    """Refuse a partition that there is not, or in which no job may run for so long."""
    limits = {name: (state, limit) for name, state, limit in PARTITION.findall(said)}
    names = [name for name in settings.partition.split(",") if name]
    if not limits:
        return
    for name in names:
        if name not in limits:
            raise UserError(
                f"{SETTINGS}: PARTITION = '{name}': this cluster has {', '.join(sorted(limits))}"
            )
        if limits[name][0].startswith(CLOSED):
            raise UserError(f"{SETTINGS}: PARTITION = '{name}' takes no jobs now: take another")
    times = [limits[name][1] for name in names or limits]
    if all(LIMIT.fullmatch(time) and seconds(time) < seconds(settings.time) for time in times):
        raise UserError(
            f"{SETTINGS}: TIME = {settings.time}: jobs of {', '.join(names) or 'any partition'} "
            f"may take {max(times, key=seconds)} at most: lower it (a task that reaches it goes on)"
        )


def require_room(tasks: int, queued: int, settings: Settings, said: str) -> None:
    """Refuse more tasks than a user may have in the queue at once."""
    rows = [row for row in ASSOCIATION.findall(said) if settings.account in ("", row[0])]
    bounds = [min((int(x) for x in row[1:] if x), default=None) for row in rows]
    if not bounds or None in bounds:
        return
    most = max(bound for bound in bounds if bound is not None)
    if tasks + queued > most:
        raise UserError(
            f"{tasks} tasks beside {queued} in the queue are more than the {most} that you may "
            "have there at once (MaxSubmitJobs): submit one sweep after the other, or lower PARTS"
        )
