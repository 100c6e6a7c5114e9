"""Attention of chosen sequences as one small file: `python src/run.py subset FILE`.

It is taken from data/attention, for study where that is not: `python src/run.py draw FILE` draws
from it, and every function that reads attention reads it. Choices unite.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Int32, Int64

from guess_or_recall.attention.gallery import read_gallery
from guess_or_recall.attention.studied import Studied, read_studied
from guess_or_recall.attention.subset import Subset, write_subset
from guess_or_recall.errors import UserError
from guess_or_recall.io.files import read_json
from guess_or_recall.io.paths import GALLERY
from guess_or_recall.localization.choice import LOCALIZED, chosen
from guess_or_recall.model.scoring import UNKNOWN
from guess_or_recall.report.style import percent
from guess_or_recall.settings.params import Params, read_params
from guess_or_recall.taxonomy.candidates import candidates
from guess_or_recall.taxonomy.labels import Labels, read_labels
from guess_or_recall.taxonomy.sampling import count
from guess_or_recall.taxonomy.trees import TaxonomyTree, classify, tree

ATTENTION = Path("data/attention")
LABELS = Path("data/label/labels.parquet")


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    made = argparse.ArgumentParser(prog="python src/run.py subset", description=__doc__)
    made.formatter_class = argparse.RawDescriptionHelpFormatter
    made.add_argument("file", metavar="FILE", type=Path, help="to write, such as small.h5")
    made.add_argument(
        "--class",
        dest="classes",
        metavar="NAME",
        nargs="*",
        help="sampled sequences of these classes of the current variant (no name: of every class)",
    )
    made.add_argument("--each", metavar="N", type=int, default=20, help="of a class (default: 20)")
    made.add_argument("--part", choices=["train", "eval"], help="of a class (default: both)")
    made.add_argument("--gallery", action="store_true", help=f"the sequences of {GALLERY}")
    made.add_argument(
        "--ids", metavar="ID", nargs="+", type=int, default=[], help="any sequences of the pool"
    )
    return made


def main(*arguments: str) -> None:
    """Write the file, and say what is in it.

    Raises:
        UserError: nothing is chosen, or something that is not there; or data/attention is missing.
    """
    given, params = parser().parse_args(arguments), read_params()
    require_attention()
    current, pool = tree(params.taxonomy, params.taxonomies), read_studied(params.sequences)
    labels = classified(params, current)
    ids = united(given, params.seed, labels, list(current.classes), pool)
    subset = Subset(
        ids,
        studied(pool, ids, params.sequences.prefix),
        labels.loc[ids].to_numpy(),
        list(current.classes),
        variant_of(params),
        read_json(ATTENTION / "provenance.json"),
    )
    write_subset(given.file, ATTENTION, subset)
    print(summary(given.file, subset))


def require_attention() -> None:
    """Raise UserError where the shards are not here."""
    if not (ATTENTION / "provenance.json").exists():
        raise UserError(
            f"{ATTENTION} is missing: `dvc pull {ATTENTION}` fetches it from the heavy remote, "
            "`dvc repro attention` makes it"
        )


def classified(params: Params, current: TaxonomyTree) -> pd.Series:
    """The class of every sequence under the current variant, sampled or not, by its id."""
    frame = candidates()
    return pd.Series(classify(frame, current, **params.thresholds()), frame["sequence_id"])


def united(
    given: argparse.Namespace, seed: int, labels: pd.Series, classes: list[str], pool: Studied
) -> Int64[np.ndarray, " n"]:
    """The ids of all that is chosen, sorted.

    Raises:
        UserError: nothing is chosen, or a sequence that is not in the pool; or see `of_classes`.
    """
    asked = list(given.ids)
    if given.classes is not None:
        asked += of_classes(given, seed, labels, classes).tolist()
    if given.gallery:
        asked += read_gallery(GALLERY)[0].tolist()
    if not asked:
        raise UserError(
            f"nothing is chosen: give --class (of {', '.join(classes)}; without a name, every "
            "class), --ids or --gallery"
        )
    if absent := sorted({*asked} - {*pool.sequence_ids.tolist()}):
        raise UserError(
            f"sequence {absent[0]} is not in the pool: its {len(pool.sequence_ids):,} have ids "
            f"such as {', '.join(map(str, pool.sequence_ids[:3]))} (data/pool/pool.parquet)"
        )
    return np.unique(np.array(asked, np.int64))


def of_classes(
    given: argparse.Namespace, seed: int, labels: pd.Series, classes: list[str]
) -> Int64[np.ndarray, " k"]:
    """The ids of some sequences of the classes asked for, those of lowest priority.

    Raises:
        UserError: there is no such class, none of each are asked for, or see `read_current`.
    """
    if unknown := [name for name in given.classes if name not in classes]:
        raise UserError(
            f"--class {unknown[0]}: the current variant has the classes {', '.join(classes)}"
        )
    if given.each < 1:
        raise UserError(f"--each {given.each}: give 1 or more")
    sampled = read_current(labels, classes)
    among = np.isin(sampled.labels, [classes.index(name) for name in given.classes or classes])
    if given.part:
        among &= sampled.is_eval == (given.part == "eval")
    return sampled.sequence_ids[chosen(sampled, among, given.each, seed, LOCALIZED)]


def read_current(labels: pd.Series, classes: list[str]) -> Labels:
    """The sample of the current variant; UserError where it is of another one."""
    sampled = read_labels(LABELS)
    own = labels.reindex(sampled.sequence_ids, fill_value=-1)
    if sampled.classes != classes or not np.array_equal(own, sampled.labels):
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


def variant_of(params: Params) -> dict[str, str | float]:
    """The current variant, by the names of params.yaml, its thresholds as they are in force."""
    bound = params.thresholds().items()
    return {
        "taxonomy": params.taxonomy,
        **{name: value if np.isfinite(value) else "off" for name, value in bound},
    }


def summary(path: Path, subset: Subset) -> str:
    """Sequences of each class, and bytes against those of the shards."""
    counts = count(subset.label, tuple(subset.classes))
    listed = ", ".join(f"{name} {number}" for name, number in counts.items())
    size = path.stat().st_size
    whole = sum(shard.stat().st_size for shard in ATTENTION.glob("shard-*.h5"))
    return (
        f"{path}: {listed}; {size:,} bytes, {percent(size, whole)} of the {whole:,} of the shards"
    )
