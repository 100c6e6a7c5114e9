"""Where the jobs of a chain stand: `gor status`, or `watch` it.

Puts together SLURM's queue, DVC's experiments and the jobs' logs: what is done, runs, waits, or
failed and why, and the time left.
"""

import shlex
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, get_args

import typer
from rich.table import Table

from guess_or_recall.cluster.chain import STEPS, Chain, latest
from guess_or_recall.cluster.settings import read_settings
from guess_or_recall.cluster.slurm import queue
from guess_or_recall.cluster.state import State, Task, seconds_left, tasks, underway
from guess_or_recall.commands._console import plain_console
from guess_or_recall.report.words import duration
from guess_or_recall.sweep import experiments

STATES = get_args(State)


def main(
    chain: Annotated[
        str | None, typer.Argument(help="As `submit` named it; without one, the last one.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="List what is done and what waits too.")
    ] = False,
) -> None:
    """Print the state of a chain.

    Raises:
        UserError: there is no chain, or SLURM does not answer.
    """
    asked = latest(chain)
    queued = queue().get(asked.name, {})
    left_is_done = not underway(queued) and not experiments.stale(*experiments.UPSTREAM)
    seen = tasks(asked, queued, set(experiments.existing(asked.commit)), left_is_done)
    console = plain_console(soft_wrap=True)
    console.print(overview(asked, seen))
    for line in listed(seen, STATES if everything else ("running", "failed")):
        console.print(line)
    left = seconds_left(seen, read_settings().at_once)
    if left:
        console.print(f"variants: about {duration(left)} left")
    if any(task.state == "failed" for task in seen):
        console.print(f"what failed is submitted again by `{again(asked)}`")


def overview(chain: Chain, seen: list[Task]) -> Table:
    """A row a step: how many of its tasks are in each state."""
    table = Table("step", *STATES, title=f"{chain.name}, commit {chain.commit[:7]}")
    for step in STEPS:
        counts = Counter(task.state for task in seen if task.step == step)
        table.add_row(step, *(str(counts[state] or "") for state in STATES))
    return table


def listed(seen: list[Task], states: tuple[str, ...]) -> Iterator[str]:
    """A line for each task in one of some states."""
    for task in seen:
        if task.state in states:
            name = f"{task.step} {task.what}".strip()
            taken = "" if task.seconds is None else duration(task.seconds)
            yield f"{task.state}: " + ", ".join(filter(None, [name, task.said, taken]))


def again(chain: Chain) -> str:
    """The commands that submit a chain again, from its commit."""
    changes = [part for change in chain.changes for part in ("-S", change)]
    prefix = ["--prefix", chain.prefix] if chain.prefix else []
    submit = shlex.join(["gor", "submit", *chain.sweeps, *changes, *prefix])
    is_here = experiments.git("rev-parse", "HEAD").strip() == chain.commit
    return submit if is_here else f"git checkout {chain.commit[:7]} && {submit}"
