"""Tables and figures of sweeps: `gor tables benchmark rho`.

Reads the experiments of a commit (or a folder that `sweep --folder` wrote) and writes,
for each sweep, SWEEP.csv, .md and .tex, the figures, and verdict.md below results/.
"""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from tqdm import tqdm

from guess_or_recall.commands._options import Names, Out
from guess_or_recall.errors import UserError
from guess_or_recall.io.files import existing
from guess_or_recall.io.paths import RESULTS
from guess_or_recall.report.rows import read_published
from guess_or_recall.report.tables import write_sweep
from guess_or_recall.settings.section import PARAMS
from guess_or_recall.settings.yaml import read_yaml
from guess_or_recall.sweep import experiments
from guess_or_recall.sweep.declare import Setting, expand, read_sweeps
from guess_or_recall.sweep.results import Result, finished, read_result, require_alike


def main(
    names: Names = None,
    prefix: Annotated[
        list[str] | None,
        typer.Option(
            help="Of the experiments' names. Several times: one a model, which are also summed."
        ),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="That `sweep --folder` wrote, not experiments.")
    ] = None,
    rev: Annotated[str, typer.Option(help="Commit of the experiments.")] = "HEAD",
    out: Out = RESULTS,
) -> None:
    """Write the tables and figures of some sweeps.

    Raises:
        UserError: no variant of a sweep is there, or results of different settings are.
    """
    base, published = read_yaml(PARAMS), read_published()
    sweeps = {
        name: [
            variant for start in prefix or [""] for variant in expand({name: grids}, base, start)
        ]
        for name, grids in read_sweeps(names or []).items()
    }
    settings = {variant.name: variant for sweep in sweeps.values() for variant in sweep}
    results = read_results(list(settings.values()), folder, rev)
    require_alike(list(results.values()))
    for name, sweep in sweeps.items():
        variants = [results[variant.name] for variant in sweep if variant.name in results]
        holes = [variant.name for variant in sweep if variant.name not in results]
        if not variants:
            place = f" --folder {folder}" if folder else ""
            raise UserError(f"no result of sweep {name}: run `gor sweep {name}{place}`")
        write_sweep(name, variants, holes, published, out)


def read_results(settings: list[Setting], folder: Path | None, commit: str) -> dict[str, Result]:
    """Read the results that are in a folder, or among the experiments of a commit, by name."""
    there = {} if folder else experiments.existing(commit)
    results = {}
    for setting in tqdm(settings, desc="read", unit="variant"):
        if folder and finished(folder, setting):
            results[setting.name] = read_result(setting, partial(read_below, folder / setting.name))
        elif setting.name in there:
            with experiments.reading(there[setting.name]) as read:
                results[setting.name] = read_result(setting, read)
    return results


def read_below(folder: Path, path: str) -> bytes:
    """Read a file of a folder; UserError where it is missing."""
    return existing(folder / path).read_bytes()
