"""Where the jobs of a chain stand: `python src/run.py status`, or `watch` it.

Puts together SLURM's queue, DVC's experiments and the jobs' logs: what is done, runs, waits, or
failed and why, and the time left.
"""

import argparse
import shlex
import sys
from collections import Counter
from collections.abc import Iterator
from typing import get_args

from rich.console import Console
from rich.table import Table

from guess_or_recall.cluster.chain import STEPS, Chain, latest
from guess_or_recall.cluster.settings import read_settings
from guess_or_recall.cluster.slurm import queue
from guess_or_recall.cluster.state import State, Task, seconds_left, tasks, underway
from guess_or_recall.sweep import experiments

STATES = get_args(State)


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    made = argparse.ArgumentParser(prog="python src/run.py status", description=__doc__)
    made.formatter_class = argparse.RawDescriptionHelpFormatter
    made.add_argument("chain", nargs="?", help="as `submit` named it (default: the last one)")
    made.add_argument("--all", action="store_true", help="list what is done and what waits too")
    return made


def main(*arguments: str) -> None:
    """Print the state of a chain.

    Raises:
        UserError: there is no chain, or SLURM does not answer.
    """
    given = parser().parse_args(arguments)
    chain = latest(given.chain)
    found = look(chain)
    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    console.print(overview(chain, found))
    shown = STATES if given.all else ("running", "failed")
    for line in listed(found, shown):
        console.print(line, markup=False)
    left = seconds_left(found, read_settings().at_once)
    if left:
        console.print(f"variants: about {duration(left)} left")
    if any(each.state == "failed" for each in found):
        console.print(f"what failed is submitted again by `{again(chain)}`")


def look(chain: Chain) -> list[Task]:
    """Every task of a chain, as it stands now."""
    known = queue()
    is_left_done = not underway(chain, known) and not experiments.stale(*experiments.UPSTREAM)
    return tasks(chain, known, set(experiments.existing(chain.commit)), is_left_done)


def overview(chain: Chain, found: list[Task]) -> Table:
    """A row a step: how many of its tasks are in each state."""
    table = Table("step", *STATES, title=f"{chain.name}, commit {chain.commit[:7]}")
    for step in STEPS:
        counts = Counter(each.state for each in found if each.step == step)
        table.add_row(step, *(str(counts[state] or "") for state in STATES))
    return table


def listed(found: list[Task], states: tuple[str, ...]) -> Iterator[str]:
    """A line for each task in one of some states."""
    for each in found:
        if each.state in states:
            name = f"{each.step} {each.what}".strip()
            taken = [duration(each.seconds)] if each.seconds is not None else []
            yield f"{each.state}: {name}" + "".join(f", {x}" for x in [each.said, *taken] if x)


def duration(seconds: float) -> str:
    """A time to be read: 1 h 5 min, 12 min, 40 s."""
    minutes = round(seconds / 60)
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def again(chain: Chain) -> str:
    """The commands that submit a chain again, from its commit."""
    changes = [part for change in chain.changes for part in ("-S", change)]
    prefix = ["--prefix", chain.prefix] if chain.prefix else []
    submit = shlex.join(["python", "src/run.py", "submit", *chain.sweeps, *changes, *prefix])
    is_here = experiments.git("rev-parse", "HEAD").strip() == chain.commit
    return submit if is_here else f"git checkout {chain.commit[:7]} && {submit}"
