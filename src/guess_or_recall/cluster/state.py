"""What became of the tasks of a chain, from SLURM's queue, DVC's experiments and the logs."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from guess_or_recall.cluster.chain import LEFT, STEPS, Chain
from guess_or_recall.cluster.slurm import Queued
from guess_or_recall.sweep.experiments import reason

State = Literal["done", "running", "waiting", "failed", "to submit"]
ENDED = re.compile(r"^== status (\d+), (\d+) s, \S+\n", re.MULTILINE)  # said by slurm/job.sh
LAST = re.compile(ENDED.pattern + r"\Z", re.MULTILINE)
KILLED = re.compile(r"slurmstepd\S*: error: \*+ (.*?) \*+$", re.MULTILINE)

Seen = tuple[State, str, int | None]
OPEN = ("failed", "to submit")
DONE: Seen = ("done", "", None)


class Task(NamedTuple):
    """One task, as it stands."""

    step: str
    number: int
    what: str  # name of a variant, or part of the attention
    state: State
    said: str = ""  # why it failed or waits, or where it runs
    seconds: int | None = None  # that a finished one took


def tasks(
    chain: Chain, queue: Mapping[tuple[int, int], Queued], recorded: set[str], left_is_done: bool
) -> list[Task]:
    """Every task of a chain, in order.

    Args:
        chain: the chain.
        queue: what waits or runs.
        recorded: variants that are experiments already.
        left_is_done: whether everything left of `label` is up to date.
    """
    found = []
    for step in STEPS:
        jobs = chain.jobs(step)
        for number in chain.tasks(step):
            what = meaning(chain, step, number)
            seen = state_of(chain, step, number, jobs.get(number), queue)
            if step == "variants":
                seen = with_experiment(seen, what in recorded)
            elif step in LEFT and seen[0] in OPEN and (left_is_done or left_out(chain, step)):
                seen = DONE
            found.append(Task(step, number, what, *seen))
    return found


def with_experiment(seen: Seen, is_recorded: bool) -> Seen:
    """The state of a variant's task, where it is known whether its experiment is there."""
    if is_recorded:
        return DONE if seen[0] in OPEN else seen
    return ("to submit", "its experiment is gone", None) if seen[0] == "done" else seen


def underway(chain: Chain, known: Mapping) -> bool:
    """Whether a task left of `label` waits or runs."""
    return any((job, task) in known for step in LEFT for task, job in chain.jobs(step).items())


def left_out(chain: Chain, step: str) -> bool:
    """Whether a step was not submitted, because it was up to date when later ones were."""
    later = LEFT[LEFT.index(step) + 1 :]
    return not chain.jobs(step) and any(map(chain.jobs, later))


def meaning(chain: Chain, step: str, number: int) -> str:
    """What a task makes, in a word."""
    if step == "variants":
        return chain.variants[number - 1]
    return f"part {number}/{chain.parts}" if step == "extract" else ""


def state_of(
    chain: Chain,
    step: str,
    number: int,
    job: int | None,
    queue: Mapping[tuple[int, int], Queued],
) -> Seen:
    """State, comment and seconds of a task, from the queue or else from its log."""
    if job is None:
        return "to submit", "", None
    known, log = queue.get((job, number)), chain.log(step, job, number)
    if known and known.state == "PENDING":
        return "waiting", known.reason, None
    if known and not (known.state == "COMPLETING" and ending(log)):
        return "running", f"on {known.node}", None
    return ended(log)


def ending(log: Path) -> re.Match | None:
    """What a task said at its end, if it did."""
    return LAST.search(log.read_text(errors="replace")) if log.exists() else None


def ended(log: Path) -> Seen:
    """State, comment and seconds of a task that SLURM does not know any more."""
    if not log.exists():
        return "failed", "it never began: cancelled, or a job that it waited for failed", None
    said = ending(log)
    if said and said[1] == "0":
        return "done", "", int(said[2])
    return "failed", f"{why(log.read_text(errors='replace'), bool(said))} ({log})", None


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


def seconds_left(found: list[Task], at_once: int) -> float | None:
    """Time that the variants still need, by the mean of those done; None where none is."""
    own = [each for each in found if each.step == "variants"]
    taken = [each.seconds for each in own if each.seconds]
    ahead = sum(each.state in ("waiting", "running") for each in own)
    if not taken:
        return None
    return sum(taken) / len(taken) * -(-ahead // at_once)
