"""Write the attention of chosen sequences as one small file: `gor subset FILE`.

It is taken from data/attention, for study where that is not: `gor draw FILE` draws from it, and
every function that reads attention reads it. Choices unite: `--class guess --class recall --id 7`.
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from guess_or_recall.attention.gallery import read_gallery
from guess_or_recall.attention.studied import read_studied
from guess_or_recall.attention.subset import Subset, write_subset
from guess_or_recall.audit.choice import OfClasses, checked, classified, sampled_ids, studied
from guess_or_recall.errors import UserError
from guess_or_recall.io.files import read_json
from guess_or_recall.io.paths import ATTENTION, GALLERY, PROVENANCE
from guess_or_recall.report.style import percent
from guess_or_recall.settings.params import read_params
from guess_or_recall.taxonomy.sampling import count
from guess_or_recall.taxonomy.trees import tree
from guess_or_recall.taxonomy.variants import current_variant


def main(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="to write, such as small.h5")],
    classes: Annotated[
        list[str] | None,
        typer.Option(
            "--class", metavar="NAME", help="sampled sequences of this class of the current variant"
        ),
    ] = None,
    every_class: Annotated[
        bool, typer.Option("--every-class", help="sampled sequences of every class")
    ] = False,
    per_class: Annotated[
        int, typer.Option("--each", metavar="N", help="sequences of a class")
    ] = 20,
    part: Annotated[
        Literal["train", "eval"] | None, typer.Option(help="of a class (default: both)")
    ] = None,
    gallery: Annotated[bool, typer.Option("--gallery", help=f"the sequences of {GALLERY}")] = False,
    ids: Annotated[
        list[int] | None, typer.Option("--id", metavar="ID", help="a sequence of the pool")
    ] = None,
) -> None:
    """Write the file, and say what is in it.

    Raises:
        UserError: nothing is chosen, or something that is not there; or data/attention is missing.
    """
    params = read_params()
    require_attention()
    current, pool = tree(params.taxonomy, params.taxonomies), read_studied(params.sequences)
    labels, every_name = classified(params, current), list(current.classes)
    choice = ids or []
    if names := every_name if every_class else classes:
        of_classes = OfClasses(names, per_class, part)
        choice = [*choice, *sampled_ids(of_classes, params.seed, labels, every_name).tolist()]
    if gallery:
        choice = [*choice, *read_gallery(GALLERY)[0].tolist()]
    sequence_ids = checked(choice, every_name, pool)
    subset = Subset(
        sequence_ids,
        studied(pool, sequence_ids, params.sequences.prefix),
        labels.loc[sequence_ids].to_numpy(),
        every_name,
        current_variant(params).name,
        read_json(PROVENANCE),
    )
    write_subset(file, ATTENTION, subset)
    print(summary(file, subset))


def require_attention() -> None:
    """Raise UserError where the shards are not here."""
    if not PROVENANCE.exists():
        raise UserError(
            f"{ATTENTION} is missing: `dvc pull {ATTENTION}` fetches it from the heavy remote, "
            "`dvc repro attention` makes it"
        )


def summary(path: Path, subset: Subset) -> str:
    """Sequences of each class, and bytes against those of the shards."""
    counts = count(subset.label, tuple(subset.classes))
    listed = ", ".join(f"{name} {number}" for name, number in counts.items())
    size = path.stat().st_size
    whole = sum(shard.stat().st_size for shard in ATTENTION.glob("shard-*.h5"))
    return (
        f"{path}: {listed}; {size:,} bytes, {percent(size, whole)} of the {whole:,} of the shards"
    )
