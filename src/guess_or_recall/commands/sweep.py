"""Run sweeps of sweeps.yaml: `gor sweep benchmark rho`.

Every variant becomes a DVC experiment. This process labels and trains them one after another and
reads the attention once; DVC, beside it, takes over each result as the stage `train` would make it
and runs the rest. What is done already is left out, so an interrupted sweep goes on.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from guess_or_recall.commands._options import Changes, Names, Prefix
from guess_or_recall.errors import UserError
from guess_or_recall.sweep import experiments
from guess_or_recall.sweep.declare import declared
from guess_or_recall.sweep.inputs import require_carried
from guess_or_recall.sweep.results import finished
from guess_or_recall.sweep.waiting import wait_until_idle


def main(
    names: Names = None,
    changes: Changes = None,
    prefix: Prefix = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would run.")] = False,
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Write results below this folder instead of DVC experiments (for a node without "
            "DVC)."
        ),
    ] = None,
) -> None:
    """Run the variants that are not done.

    Raises:
        UserError: a sweep is wrong, another one runs here, the workspace is not ready, or a
            variant failed.
    """
    with experiments.alone("sweep"):  # also to list: another one changes params.yaml at moments
        wait_until_idle()
        experiments.restore_params()
        settings = declared(names or [], changes or [], prefix)
        if folder:
            done = {setting.name for setting in settings if finished(folder, setting)}
        else:
            experiments.require_clean()
            require_carried()
            done = experiments.recorded(settings)
        todo = [setting for setting in settings if setting.name not in done]
        print(f"{len(settings)} variants: {len(done)} done, {len(todo)} to run")
        if dry_run:
            print("\n".join(setting.name for setting in todo))
        else:
            from guess_or_recall.sweep.together import run  # slow to import: with torch

            report(run(todo, folder), len(todo))


def report(failures: dict[str, str], attempted: int) -> None:
    """Say what became of the sweep; UserError where a variant failed, after all others were run."""
    print(f"{attempted - len(failures)} variants done, {len(failures)} failed")
    for name, reason in failures.items():
        print(f"  {name}: {reason}", file=sys.stderr)
    if failures:
        raise UserError(f"{len(failures)} of {attempted} variants failed, see above")
