"""Submit sweeps to SLURM: `gor submit benchmark rho`.

The chain: prepare (sequences to pool), extract (attention in parts, an array), merge, variants (DVC
experiments, an array), tables. What is up to date, recorded or in the queue is left out, and every
task looks again whether its work is done: the same call once more submits what failed. Settings of
the cluster: slurm/cluster.env.
"""

import shlex
import shutil
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Annotated

import typer

from guess_or_recall.cluster.chain import (
    LEFT,
    STEPS,
    Chain,
    chain_of,
    command,
    dependency,
    recorded_chains,
    write_chain,
)
from guess_or_recall.cluster.limits import require_allowed
from guess_or_recall.cluster.settings import SETTINGS, Settings, read_settings
from guess_or_recall.cluster.slurm import queue, sbatch
from guess_or_recall.cluster.state import Queue, tasks, underway
from guess_or_recall.commands._options import Changes, Names, Prefix
from guess_or_recall.errors import UserError
from guess_or_recall.io import paths
from guess_or_recall.sweep import experiments
from guess_or_recall.sweep.declare import declared, read_sweeps
from guess_or_recall.sweep.inputs import require_carried

# of the chain itself
PRODUCTS = ("dvc.lock", *map(str, (paths.METRICS, paths.FIGURES, paths.RESULTS)))


def main(
    names: Names = None,
    changes: Changes = None,
    prefix: Prefix = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be submitted.")
    ] = False,
) -> None:
    """Submit what is neither done nor in the queue.

    Raises:
        UserError: a sweep or a setting is wrong, the workspace differs from its commit, another
            chain prepares its attention here, the cluster does not allow it, or SLURM refuses.
    """
    sweeps, changed = names or list(read_sweeps([])), changes or []
    if changed and not prefix:
        raise UserError("-S changes every variant: give their experiments a --prefix of their own")
    settings = read_settings()
    variants = declared(sweeps, changed, prefix)
    experiments.require_clean(*PRODUCTS, str(SETTINGS))
    require_carried()
    commit = experiments.git("rev-parse", "HEAD").strip()
    chain = chain_of(commit, sweeps, changed, prefix, settings.parts, variants)
    with nullcontext() if dry_run else experiments.alone("submit"):
        queued = {} if dry_run and not shutil.which("squeue") else queue()
        require_no_other(chain, queued)
        recorded = experiments.recorded(variants)  # asked after the queue: what ends between
        wanted = missing(chain, queued.get(chain.name, {}), recorded)  # the two is in both
        print(f"{chain.name}: {len(recorded)} of {len(variants)} variants recorded")
        if wanted and not dry_run:
            write_chain(chain, variants)
        send(chain, wanted, queued.get(chain.name, {}), settings, dry_run)


def require_no_other(chain: Chain, queued: Mapping[str, Queue]) -> None:
    """Raise UserError where another chain works in this checkout, left of `label`."""
    names = [recorded.name for recorded in recorded_chains() if recorded.name != chain.name]
    for name in names:
        if underway(queued.get(name, {})):
            raise UserError(
                f"chain {name} prepares its attention in this checkout: wait until it has "
                f"(`gor status {name}`), or cancel its jobs"
            )


def missing(chain: Chain, queued: Queue, recorded: set[str]) -> dict[str, list[int]]:
    """The tasks of each step that are to be submitted.

    None while the attention is being made, with all that waits for it. Else everything left of
    `label` where a stage is not up to date, what `status` calls failed, and the tables behind them.
    """
    if underway(queued):
        return {}
    left = LEFT if experiments.stale(*experiments.UPSTREAM) else ()
    wanted: dict[str, list[int]] = {}
    for task in tasks(chain, queued, recorded, left_is_done=not left):
        if task.step in left or task.state == "failed":
            wanted.setdefault(task.step, []).append(task.number)
    return wanted | {"tables": [1]} if wanted else {}


def send(
    chain: Chain,
    wanted: Mapping[str, list[int]],
    queued: Queue,
    settings: Settings,
    dry_run: bool,
) -> None:
    """Submit steps in order, each behind those before it that are in the queue by then."""
    if not wanted:
        why = ": the attention is being made" if underway(queued) else ""
        print(f"nothing to submit{why} (`gor status`)")
        return
    require_allowed(wanted, settings)
    cache = experiments.dvc("cache", "dir").strip()
    jobs: dict[str, list] = {step: [] for step in STEPS}
    for (step, _), task in queued.items():
        jobs[step] = sorted({*jobs[step], task.job})
    for step, numbers in wanted.items():
        arguments = command(chain, step, numbers, settings, dependency(step, jobs), cache)
        print(shlex.join(["sbatch", *arguments]))
        jobs[step].append(f"<{step}>" if dry_run else sbatch(*arguments))
        if not dry_run:
            print(f"  job {jobs[step][-1]}")
