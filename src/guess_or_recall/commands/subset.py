"""Write the attention of chosen sequences as one small file: `gor subset FILE`.

It is taken from data/attention, for study where that is not: `gor draw FILE` draws from it, and
every function that reads attention reads it. Choices unite: `--class guess --class recall --id 7`.
"""

from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
import pandas as pd
import typer
from jaxtyping import Int32, Int64

from guess_or_recall.attention.gallery import read_gallery
from guess_or_recall.attention.studied import Studied, read_studied
from guess_or_recall.attention.subset import Subset, write_subset
from guess_or_recall.errors import UserError
from guess_or_recall.io.files import read_json
from guess_or_recall.io.paths import ATTENTION, GALLERY, LABELS, POOL, PROVENANCE
from guess_or_recall.localization.choice import LOCALIZED, chosen
from guess_or_recall.model.scoring import UNKNOWN
from guess_or_recall.report.style import percent
from guess_or_recall.settings.params import Params, read_params
from guess_or_recall.taxonomy.candidates import candidates
from guess_or_recall.taxonomy.labels import Labels, read_labels
from guess_or_recall.taxonomy.sampling import count
from guess_or_recall.taxonomy.trees import TaxonomyTree, classify, tree
from guess_or_recall.taxonomy.variants import current_variant


class OfClasses(NamedTuple):
    """Sequences that the current variant samples."""

    names: list[str]  # of classes
    each: int  # sequences of a class, at the most
    part: str | None


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
    each: Annotated[int, typer.Option(metavar="N", help="sequences of a class")] = 20,
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
        of_classes = OfClasses(names, each, part)
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


def classified(params: Params, current: TaxonomyTree) -> pd.Series:
    """The class of every sequence under the current variant, sampled or not, by its id."""
    frame = candidates()
    return pd.Series(classify(frame, current, **params.thresholds()), frame["sequence_id"])


def checked(choice: list[int], classes: list[str], pool: Studied) -> Int64[np.ndarray, " n"]:
    """The ids that are chosen, sorted, each of them once.

    Raises:
        UserError: nothing is chosen, or a sequence that is not in the pool.
    """
    if not choice:
        raise UserError(
            f"nothing is chosen: give --class (of {', '.join(classes)}), --every-class, --id or "
            "--gallery"
        )
    if absent := sorted({*choice} - {*pool.sequence_ids.tolist()}):
        raise UserError(
            f"sequence {absent[0]} is not in the pool: its {len(pool.sequence_ids):,} have ids "
            f"such as {', '.join(map(str, pool.sequence_ids[:3]))} ({POOL})"
        )
    return np.unique(np.array(choice, np.int64))


def sampled_ids(
    choice: OfClasses, seed: int, labels: pd.Series, classes: list[str]
) -> Int64[np.ndarray, " k"]:
    """The ids of some sequences of the chosen classes, those of lowest priority.

    Raises:
        UserError: there is no such class, none of each are asked for, or see `read_current`.
    """
    if unknown := [name for name in choice.names if name not in classes]:
        raise UserError(
            f"--class {unknown[0]}: the current variant has the classes {', '.join(classes)}"
        )
    if choice.each < 1:
        raise UserError(f"--each {choice.each}: give 1 or more")
    sampled = read_current(labels, classes)
    among = np.isin(sampled.labels, [classes.index(name) for name in choice.names])
    if choice.part:
        among &= sampled.is_eval == (choice.part == "eval")
    return sampled.sequence_ids[chosen(sampled, among, choice.each, seed, LOCALIZED)]


def read_current(labels: pd.Series, classes: list[str]) -> Labels:
    """The sample of the current variant; UserError where it is of another one."""
    sampled = read_labels(LABELS)
    current = labels.reindex(sampled.sequence_ids, fill_value=-1)
    if sampled.classes != classes or not np.array_equal(current, sampled.labels):
        raise UserError(f"{LABELS} is of another variant than params.yaml: dvc repro label")
    return sampled


def studied(
    pool: Studied, ids: Int64[np.ndarray, " n"], prefix: int
) -> Int32[np.ndarray, "n length"]:
    """Tokens of some sequences as they are studied, -1 where the model's own are in no table."""
    rows = np.searchsorted(pool.sequence_ids, ids)
    tokens = pool.tokens[rows]
    tokens[pool.unfinished[rows], prefix:] = UNKNOWN
    return tokens


def summary(path: Path, subset: Subset) -> str:
    """Sequences of each class, and bytes against those of the shards."""
    counts = count(subset.label, tuple(subset.classes))
    listed = ", ".join(f"{name} {number}" for name, number in counts.items())
    size = path.stat().st_size
    whole = sum(shard.stat().st_size for shard in ATTENTION.glob("shard-*.h5"))
    return (
        f"{path}: {listed}; {size:,} bytes, {percent(size, whole)} of the {whole:,} of the shards"
    )
