"""Say what the current params.yaml will take, before it runs: `gor plan`.

Sequences, bytes, memory, and time from a trial of a minute on the present device (with random
weights: nothing is downloaded but a config.json), beside what the published method needs. Exact
once `dvc repro features` has run; before, the sequences are the most that they can be. It ends
with an error where the disk is too small.

Behind the number of candidates stands whether it is counted or assumed. What data/ holds of other
parameters, code or texts is not counted.
"""

from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Table

from guess_or_recall.commands._console import plain_console
from guess_or_recall.commands._words import duration
from guess_or_recall.device import device
from guess_or_recall.plan.calibrate import MARGIN, Trial, calibrate, room_on
from guess_or_recall.plan.needs import Needs, current_counts, needs_of
from guess_or_recall.plan.shape import Shape, config_of, dtype_of, random_model, shape_of
from guess_or_recall.plan.sizes import bytes_of, bytes_of_all_heads, gigabytes, require_disk
from guess_or_recall.plan.times import Load, loads_of_stages, measured_cnn_rate
from guess_or_recall.settings.ablate import require_windows
from guess_or_recall.settings.params import Params, read_params

COLUMNS = ("here", "published method")


def main(
    no_trial: Annotated[bool, typer.Option("--no-trial", help="sizes alone, no times")] = False,
) -> None:
    """Print the plan.

    Raises:
        UserError: the model cannot be found or has fewer layers than are to be cut, or the disk
            cannot hold what will be made.
    """
    params, console = read_params(), plain_console(soft_wrap=True)
    config, dtype = config_of(params), getattr(torch, dtype_of(params))
    shape, needs = shape_of(config), needs_of(params)
    require_windows(params.ablate.cuts, shape.layers)
    weights = shape.parameters * dtype.itemsize
    say(console, params, shape, needs)
    measured, loads = None, []
    if not no_trial and weights * MARGIN < room_on(device()):
        model = random_model(config, dtype, device())
        measured = calibrate(model, params.sequences, params.attention.batch)
        loads = loads_of_stages(params, needs, measured, measured_cnn_rate(params, shape.layers))
    sizes = bytes_of(params, shape, needs, weights)
    console.print(memory_line(weights, measured))
    published = needs.summed * bytes_of_all_heads(shape, params.sequences.total)
    console.print(size_table(sizes, published))
    if loads:
        console.print(time_table(loads))
    require_disk(sizes)


def say(console: Console, params: Params, shape: Shape, needs: Needs) -> None:
    """What is planned, and of which classes it samples how many."""
    of_a_class = params.samples.train + params.samples.eval
    console.print(
        f"profile {params.profile}: {shape.layers} layers, {shape.heads} heads, "
        f"{shape.parameters / 1e6:,.1f} million parameters in {dtype_of(params)}; {device().type}"
    )
    bound = "" if needs.exact else " at most (exact once `dvc repro features` has run)"
    console.print(
        f"{needs.candidates:,} candidates ({needs.origin}); {needs.variants} variants, "
        f"{of_a_class:,} sequences of each class (samples.train + samples.eval); their union "
        f"is {needs.union:,} sequences{bound}, their sum {needs.summed:,}"
    )
    if needs.exact:
        counts = current_counts(params).items()
        listing = ", ".join(
            f"{name} {min(count, of_a_class):,} of {count:,}" for name, count in counts
        )
        console.print(f"{params.taxonomy}, classes of the current variant: {listing}")


def memory_line(weights: int, trial: Trial | None) -> str:
    """Memory of the model, measured or by its weights."""
    where = "GPU memory" if device().type == "cuda" else "memory"
    if trial:
        return f"{where}: {trial.memory / 1e9:.2f} GB with a batch of {trial.batch} sequences"
    free = room_on(device())
    return (
        f"{where}: {weights * MARGIN / 1e9:.1f} GB for the weights, {free / 1e9:.1f} GB are free "
        "(no trial, so no times)"
    )


def size_table(sizes: dict[str, int], published_attention: int) -> Table:
    """Bytes here, and of the published method's attention."""
    table = Table("artifact", *COLUMNS, box=None, pad_edge=False)
    published = {"attention": gigabytes(published_attention)}
    for name, size in sizes.items():
        table.add_row(name, gigabytes(size), published.get(name, ""))
    return table


def time_table(loads: list[Load]) -> Table:
    """Time of every stage that takes some, and of the published method's where it differs."""
    table = Table("stage", "a second", *COLUMNS, box=None, pad_edge=False)
    for load in loads:
        seconds = load.published_seconds
        published = "" if seconds is None else duration(seconds)
        table.add_row(load.name, f"{load.rate:,.0f}", duration(load.items / load.rate), published)
    return table
