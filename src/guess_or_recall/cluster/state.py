"""What became of the tasks of a chain, from SLURM's queue, DVC's experiments and the logs."""

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

from guess_or_recall.cluster.chain import LEFT, STEPS, Chain
from guess_or_recall.cluster.slurm import Queued
from guess_or_recall.sweep.experiments import reason

State = Literal["done", "running", "waiting", "failed"]
ENDED = re.compile(r"^== status (\d+), (\d+) s, \S+\n", re.MULTILINE)  # said by slurm/job.sh
LAST = re.compile(ENDED.pattern + r"\Z", re.MULTILINE)
KILLED = re.compile(r"slurmstepd\S*: error: \*+ (.*?) \*+$", re.MULTILINE)


Queue = Mapping[tuple[str, int], Queued]  # what waits or runs of a chain


class Task(NamedTuple):
    """One task, as it stands."""

    step: str
    number: int
    what: str  # name of a variant, or part of the attention
    state: State
    said: str = ""  # why it failed or waits, or where it runs
    seconds: int | None = None  # that a finished one took


def underway(queue: Queue) -> bool:
    """Whether a task left of `label` waits or runs."""
    return any(step in LEFT for step, _ in queue)


def tasks(chain: Chain, queue: Queue, recorded: set[str], left_is_done: bool) -> list[Task]:
    """Every task of a chain, in order.

    Args:
        chain: the chain.
        queue: what waits or runs.
        recorded: variants that are experiments already.
        left_is_done: whether everything left of `label` is up to date.
    """
    everything = [(step, number) for step in STEPS for number in chain.tasks(step)]
    seen = []
    for step, number in everything:
        what = chain.meaning(step, number)
        is_done = what in recorded if step == "variants" else (step in LEFT and left_is_done)
        state = state_of(chain, step, number, queue.get((step, number)), is_done)
        seen.append(Task(step, number, what, *state))
    return seen


def state_of(
    chain: Chain, step: str, number: int, queued: Queued | None, is_done: bool
) -> tuple[State, str, int | None]:
    """State, comment and seconds of a task, from the queue or else from its log.

    What was submitted again says nothing by an older log: it may have been cancelled before it
    began. A variant does: why it failed, while what is recorded tells whether it is done.
    """
    log = chain.log(step, number)
    text = log.read_text(errors="replace") if log else ""
    ending = LAST.search(text)
    if queued and queued.state == "PENDING":
        return "waiting", queued.reason, None
    if queued and not (queued.state == "COMPLETING" and ending):
        return "running", f"on {queued.node}", None
    seconds = int(ending[2]) if ending and ending[1] == "0" else None
    counts = log is not None and (step == "variants" or chain.is_since_submission(log))
    if is_done or (seconds is not None and step != "variants" and counts):
        return "done", "", seconds
    if not log or not counts:
        return "failed", "it never began: cancelled, or a job that it waited for failed", None
    said = "its experiment is gone" if seconds is not None else why(text, bool(ending))
    return "failed", f"{said} ({log})", None


def why(text: str, has_ended: bool) -> str:
    """The line of a log that says why its last attempt failed.

    Args:
        text: of the log.
        has_ended: whether the task was not killed outright.
    """
    attempt = text.rpartition("== begun")[2].partition("\n")[2]
    said = ENDED.sub("", attempt).replace("\r", "\n")
    killed = KILLED.findall(said)
    if killed and "error in " not in said:
        return killed[-1]
    return reason(said) if has_ended else "it ended without a word: killed, or its node failed"


def seconds_left(seen: list[Task], at_once: int) -> float | None:
    """Time that the variants still need, by the mean of those done; None where none is."""
    variants = [task for task in seen if task.step == "variants"]
    taken = [task.seconds for task in variants if task.seconds]
    ahead = sum(task.state in ("waiting", "running") for task in variants)
    return sum(taken) / len(taken) * -(-ahead // at_once) if taken else None
