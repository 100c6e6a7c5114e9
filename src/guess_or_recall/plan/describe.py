"""A plan in words and tables, for a terminal."""

from collections.abc import Iterator

from rich.table import Table

from guess_or_recall.device import device
from guess_or_recall.plan.calibrate import MARGIN, Trial
from guess_or_recall.plan.needs import Needs, current_counts
from guess_or_recall.plan.shape import Shape, dtype_of
from guess_or_recall.plan.sizes import gigabytes
from guess_or_recall.plan.times import Load
from guess_or_recall.report.words import duration
from guess_or_recall.settings.params import Params

COLUMNS = ("here", "published method")


def lines_of(params: Params, shape: Shape, needs: Needs) -> Iterator[str]:
    """What is planned, and of which classes it samples how many."""
    of_a_class = params.samples.train + params.samples.eval
    yield (
        f"profile {params.profile}: {shape.layers} layers, {shape.heads} heads, "
        f"{shape.parameters / 1e6:,.1f} million parameters in {dtype_of(params)}; {device().type}"
    )
    bound = "" if needs.exact else " at most (exact once `dvc repro features` has run)"
    yield (
        f"{needs.candidates:,} candidates ({needs.origin}); {needs.variants} variants, "
        f"{of_a_class:,} sequences of each class (samples.train + samples.eval); their union "
        f"is {needs.union:,} sequences{bound}, their sum {needs.summed:,}"
    )
    if needs.exact:
        counts = current_counts(params).items()
        listing = ", ".join(
            f"{name} {min(count, of_a_class):,} of {count:,}" for name, count in counts
        )
        yield f"{params.taxonomy}, classes of the current variant: {listing}"


def memory_line(weights: int, trial: Trial | None, room: int) -> str:
    """Memory of the model, measured or by its weights."""
    where = "GPU memory" if device().type == "cuda" else "memory"
    if trial:
        return f"{where}: {trial.memory / 1e9:.2f} GB with a batch of {trial.batch} sequences"
    return (
        f"{where}: {weights * MARGIN / 1e9:.1f} GB for the weights, {room / 1e9:.1f} GB are free "
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
