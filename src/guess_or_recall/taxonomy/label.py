"""Classes of one variant, and its training and evaluation parts: `python src/run.py label`."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from jaxtyping import Int, Int8

from guess_or_recall.errors import UserError
from guess_or_recall.io.tables import read_table
from guess_or_recall.settings.taxonomy import LabelSettings
from guess_or_recall.taxonomy.pool import POOL, declared, draw_variant, two_priorities
from guess_or_recall.taxonomy.sampling import Draw, count
from guess_or_recall.taxonomy.trees import ALL, TREES, TaxonomyTree, classify, tree, variants

LABELS = pa.schema(
    {
        "sequence_id": pa.int64(),
        "label": pa.int8(),
        "class_name": pa.string(),
        "part": pa.string(),
    }
)


def labelled(params: LabelSettings, frame: pd.DataFrame) -> tuple[pa.Table, dict]:
    """Classes of one variant's sample, and the counts to report.

    Args:
        params: the variant's.
        frame: `candidates()`.

    Raises:
        UserError: a class has too few sequences, or the pool lacks some of the sample.
    """
    chosen = tree(params.taxonomy, params.taxonomies)
    labels = classify(
        frame,
        chosen,
        delta=params.delta,
        rho_l=params.threshold("rho_l"),
        rho_3=params.threshold("rho_3"),
    )
    orders = two_priorities(frame, params.seed)
    drawn = draw_variant(labels, chosen.classes, orders, params.samples)
    warn_if_balanced(drawn, params)
    ids = frame["sequence_id"].to_numpy()
    require_in_pool(ids[drawn.rows], chosen, params)
    return table(ids, labels, drawn, chosen.classes), report(labels, drawn, chosen.classes)


def table(
    ids: Int[np.ndarray, " n"],
    labels: Int8[np.ndarray, " n"],
    drawn: Draw,
    classes: tuple[str, ...],
) -> pa.Table:
    """Labels of the sampled sequences, sorted by sequence_id."""
    sampled = labels[drawn.rows]
    columns = [
        ids[drawn.rows],
        sampled,
        np.array(classes, object)[sampled],
        np.where(drawn.is_train, "train", "eval").astype(object),
    ]
    return pa.table(columns, schema=LABELS)


def warn_if_balanced(drawn: Draw, params: LabelSettings) -> None:
    """Say on stderr that the sample is smaller than params.yaml asks for."""
    if drawn.balanced:
        asked = f"{params.samples.train} + {params.samples.eval}"
        print(
            f"warning: label: the smallest class has too few sequences: {drawn.train} train + "
            f"{drawn.eval} eval of each class, not {asked}",
            file=sys.stderr,
        )


def require_in_pool(
    wanted: Int[np.ndarray, " m"], chosen: TaxonomyTree, params: LabelSettings
) -> None:
    """Check that attention was extracted for the sample.

    Raises:
        UserError: a sampled sequence is not in the pool; names what to add to params.yaml.
    """
    path = Path("data/pool/pool.parquet")
    pooled = read_table(path, POOL)["sequence_id"].to_numpy()
    absent = len(np.setdiff1d(wanted, pooled))
    if absent:
        raise UserError(
            f"{path} has no {absent} of the {len(wanted)} sampled: {way_out(chosen, params)}"
        )


def way_out(chosen: TaxonomyTree, params: LabelSettings) -> str:
    """What to add to the pool of params.yaml so that it holds the variant."""
    lacking = undeclared(chosen, params)
    if not lacking:
        return "params.yaml declares this variant, so the pool is out of date: run `dvc repro pool`"
    said = ", ".join(f"pool.{key} lacks {yaml_text(value)}" for key, value in lacking.items())
    pool = params.pool.model_dump()
    lists = [f"-S 'pool.{key}={yaml_text([*pool[key], lacking[key]])}'" for key in lacking]
    return f"{said}: add it in params.yaml, or dvc exp run {' '.join(lists)}"


def undeclared(chosen: TaxonomyTree, params: LabelSettings) -> dict:
    """Values of the current variant that `pool` does not list, under the key that lacks them."""
    pool, pair = params.pool, (params.threshold("rho_l"), params.threshold("rho_3"))
    [mine] = variants(chosen, [params.delta], [pair])
    if any(own.tree == chosen and own.thresholds == mine for own in declared(params)):
        return {}
    benchmark = variants(chosen, [params.delta], pool.thresholds()[:1])
    by_all = ALL in pool.taxonomies and chosen.name in TREES and benchmark == [mine]
    lacking = {}
    if chosen.name not in pool.taxonomies and not by_all:
        lacking["taxonomies"] = chosen.name
    if "delta" in chosen.depends_on and params.delta not in pool.deltas:
        lacking["deltas"] = params.delta
    if mine not in variants(chosen, [params.delta], pool.thresholds()):
        lacking["rhos"] = rho_entry(*pair)
    return lacking


def rho_entry(rho_l: float, rho_3: float) -> float | list:
    """The entry of pool.rhos that covers a pair of thresholds."""
    finite = {rho for rho in (rho_l, rho_3) if rho <= 1}
    if len(finite) == 1:
        return finite.pop()
    return [rho if rho <= 1 else "off" for rho in (rho_l, rho_3)]


def yaml_text(value: object) -> str:
    """A value in YAML's one-line form, as `-S` takes it."""
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(yaml_text, value)) + "]"
    return str(value)


def report(labels: Int8[np.ndarray, " n"], drawn: Draw, classes: tuple[str, ...]) -> dict:
    """Counts of the classes, in the corpus and in the sample, and against the planting if known."""
    sampled = {"train": drawn.train, "eval": drawn.eval}
    counts = {
        "corpus": count(labels, classes),
        "sampled": dict.fromkeys(classes, sampled),
        "shortage": drawn.balanced,
    }
    planted = planted_kinds()
    if planted.isna().all():
        return counts
    names = pd.Categorical.from_codes(labels, classes)
    crossed = pd.crosstab(names, planted.fillna("unknown").to_numpy(), dropna=False)
    return counts | {"planted": {name: crossed.loc[name].to_dict() for name in classes}}


def planted_kinds() -> pd.Series:
    """How every sequence was planted in the training stream; null where that is unknown."""
    path = Path("data/sequences/sequences.parquet")
    return read_table(path, pa.schema({"planted": pa.string()}))["planted"].to_pandas()
