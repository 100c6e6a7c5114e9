"""Submit sweeps to SLURM: `python src/run.py submit benchmark rho`.

The chain: prepare (sequences to pool), extract (attention in parts, an array), merge, variants (DVC
experiments, an array), tables. What is done or in the queue is left out, so that a second call
submits only what failed. Settings of the cluster: slurm/cluster.env.
"""

import argparse
import shlex
import shutil
from collections import Counter
from collections.abc import Mapping
from contextlib import nullcontext

from guess_or_recall.cluster.chain import (
    LEFT,
    STEPS,
    Chain,
    begun,
    command,
    dependency,
    recorded_chains,
    write_chain,
)
from guess_or_recall.cluster.settings import SETTINGS, Settings, read_settings
from guess_or_recall.cluster.slurm import Queued, queue, sbatch
from guess_or_recall.cluster.state import OPEN, Task, tasks, underway
from guess_or_recall.commands.sweep import add_choice, alone, declared
from guess_or_recall.errors import UserError
from guess_or_recall.sweep import experiments
from guess_or_recall.sweep.declare import Setting, read_sweeps

PRODUCTS = ("dvc.lock", "metrics", "figures", "results")  # of the chain itself
BUSY = ("waiting", "running")


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    made = argparse.ArgumentParser(prog="python src/run.py submit", description=__doc__)
    made.formatter_class = argparse.RawDescriptionHelpFormatter
    add_choice(made)
    made.add_argument("--dry-run", action="store_true", help="show what would be submitted")
    return made


def main(*arguments: str) -> None:
    """Submit what is neither done nor in the queue.

    Raises:
        UserError: a sweep or a setting is wrong, the workspace differs from its commit, another
            chain prepares its attention here, or SLURM refuses.
    """
    given = parser().parse_args(arguments)
    if given.set and not given.prefix:
        raise UserError("-S changes every variant: give their experiments a --prefix of their own")
    settings = read_settings()
    variants, base = declared(given.names, given.set, given.prefix)
    experiments.require_clean(*PRODUCTS, str(SETTINGS))
    sweeps = given.names or list(read_sweeps([]))
    commit = experiments.git("rev-parse", "HEAD").strip()
    with nullcontext() if given.dry_run else alone("submit"):
        chain = begun(commit, sweeps, given.set, given.prefix, settings.parts, variants)
        submit(chain, variants, base, settings, given.dry_run)


def submit(
    chain: Chain, variants: list[Setting], base: str, settings: Settings, dry_run: bool
) -> None:
    """Find out what is missing, and submit it."""
    known = {} if dry_run and not shutil.which("squeue") else queue()  # before the experiments:
    there = experiments.existing()  # what ends between the two is in both, not in none
    recorded = {each.name for each in variants if experiments.done(each, there, base)}
    require_no_other(chain, known)
    going_on = underway(chain, known)
    stale = [] if going_on else experiments.stale(*experiments.UPSTREAM)
    seen = tasks(chain, known, recorded, left_is_done=not going_on and not stale)
    wanted = to_submit(seen, stale, going_on)
    counts = Counter(each.state for each in seen if each.step == "variants")
    print(f"{chain.name}: {', '.join(f'{n} variants {state}' for state, n in counts.items())}")
    if going_on and numbers(seen, "extract", ("failed",)):
        print("note: a part of the attention failed while others run: submit again after them")
    if not any(wanted.values()):
        print("nothing to submit")
        return
    if not dry_run:
        write_chain(chain, variants)
    send(chain, wanted, busy_jobs(chain, seen), settings, dry_run)


def require_no_other(chain: Chain, known: Mapping[tuple[int, int], Queued]) -> None:
    """Raise UserError where another chain works in this checkout, left of `label`."""
    for other in recorded_chains():
        if other.name != chain.name and underway(other, known):
            raise UserError(
                f"chain {other.name} prepares its attention in this checkout: wait until it has "
                f"(`python src/run.py status {other.name}`), or cancel its jobs"
            )


def to_submit(seen: list[Task], stale: list[str], going_on: bool) -> dict[str, list[int]]:
    """The tasks of each step that are neither done nor waiting nor running.

    Args:
        seen: every task of the chain.
        stale: stages left of `label` that are not up to date, where nothing is going on there.
        going_on: whether tasks left of `label` wait or run. A part that fails among them is
            submitted when they have ended; a merge that was cancelled, at once.
    """
    wanted = {step: numbers(seen, step, OPEN) for step in STEPS}
    if going_on:
        whole = not numbers(seen, "extract", OPEN)
        wanted |= {"prepare": [], "extract": [], "merge": wanted["merge"] if whole else []}
        if not wanted["merge"] and not numbers(seen, "merge", BUSY):
            return {step: [] for step in STEPS}
    elif not stale:
        wanted |= {step: [] for step in LEFT}
    elif stale == ["attention"]:
        wanted |= {"prepare": [], "merge": [1]}
    else:  # other sequences, other parts
        wanted |= {"prepare": [1], "extract": numbers(seen, "extract"), "merge": [1]}
    if wanted["variants"]:
        wanted["tables"] = [1]
    return wanted


def numbers(seen: list[Task], step: str, states: tuple[str, ...] = ()) -> list[int]:
    """Numbers of the tasks of a step; those in some states, if any are given."""
    return [one.number for one in seen if one.step == step and (not states or one.state in states)]


def busy_jobs(chain: Chain, seen: list[Task]) -> dict[str, list[int | str]]:
    """Jobs of each step that wait or run."""
    found: dict[str, list[int | str]] = {step: [] for step in STEPS}
    for one in seen:
        job = chain.jobs(one.step).get(one.number)
        if job is not None and one.state in BUSY and job not in found[one.step]:
            found[one.step].append(job)
    return found


def send(
    chain: Chain,
    wanted: Mapping[str, list[int]],
    jobs: dict[str, list[int | str]],
    settings: Settings,
    dry_run: bool,
) -> None:
    """Submit steps in order; `jobs` are those in the queue, and come to be those submitted too."""
    cache = experiments.cache_folder()
    for step in STEPS:
        if not wanted[step]:
            continue
        given = command(chain, step, wanted[step], settings, dependency(step, jobs), cache)
        print(shlex.join(["sbatch", *given]))
        if dry_run:
            jobs[step] = [*jobs[step], f"<{step}>"]
            continue
        job = sbatch(*given)
        jobs[step] = [*jobs[step], job]
        chain.submitted.append({"step": step, "job": job, "tasks": wanted[step]})
        write_chain(chain)
        print(f"  job {job}")
