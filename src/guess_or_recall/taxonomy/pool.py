"""The union of the sequences that the declared variants sample: `python src/run.py pool`.

Attention is extracted once for this pool. It depends on params.yaml's `pool`, not on the taxonomy,
rho and delta of the moment, so that changing those extracts nothing again.
"""

import math
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from jaxtyping import Bool, Int8, UInt64
from tqdm import tqdm

from guess_or_recall.errors import UserError
from guess_or_recall.io.tables import read_table
from guess_or_recall.settings.taxonomy import DeclaredSettings, PoolSettings, Samples
from guess_or_recall.taxonomy.sampling import Draw, count, draw, priorities, sample
from guess_or_recall.taxonomy.trees import (
    ALL,
    THRESHOLDS,
    TREES,
    TaxonomyTree,
    classify,
    tree,
    variants,
)

POOL = pa.schema({"sequence_id": pa.int64(), "gallery": pa.bool_()})
PERPLEXITIES = ("prompt_perplexity", "generation_perplexity", "sequence_perplexity")
BOOLEANS = ("is_incrementing", "is_repeating", "is_code")
TABLES = {
    Path("data/sequences/sequences.parquet"): {"sequence_duplicates": pa.int64()},
    Path("data/score/score.parquet"): {"memorization_score": pa.float64()}
    | dict.fromkeys(PERPLEXITIES, pa.float32()),
    Path("data/features/features.parquet"): dict.fromkeys(("rouge_3", "rouge_l"), pa.float64())
    | dict.fromkeys(BOOLEANS, pa.bool_()),
}


@dataclass(frozen=True)
class Variant:
    """A tree and the thresholds that matter to it."""

    tree: TaxonomyTree
    thresholds: dict[str, float]

    @property
    def name(self) -> str:
        """The tree and its thresholds, those that are off left out."""
        given = self.thresholds
        if "rho_l" in given and given["rho_l"] == given.get("rho_3"):
            given = {key: given[key] for key in given if key == "delta"} | {"rho": given["rho_l"]}
        shown = [f"{key}={value:g}" for key, value in given.items() if value != math.inf]
        return " ".join([self.tree.name, *shown])

    def classify(self, frame: pd.DataFrame) -> Int8[np.ndarray, " n"]:
        """Give every sequence its class."""
        return classify(frame, self.tree, **(dict.fromkeys(THRESHOLDS, math.inf) | self.thresholds))


def candidates() -> pd.DataFrame:
    """Read what expressions may name: one row for each sequence, sorted by sequence_id.

    Raises:
        UserError: the tables of sequences, score and features are not about the same sequences.
    """
    key = {"sequence_id": pa.int64()}
    frames = [read_table(path, pa.schema(key | own)).to_pandas() for path, own in TABLES.items()]
    ids = frames[0].pop("sequence_id")
    assert ids.is_monotonic_increasing and ids.is_unique
    for path, frame in zip(list(TABLES)[1:], frames[1:], strict=True):
        if not frame.pop("sequence_id").equals(ids):
            raise UserError(f"{path} is not about the sequences of {next(iter(TABLES))}: dvc repro")
    return pd.concat([ids, *frames], axis=1)


def declared(params: DeclaredSettings) -> list[Variant]:
    """List the distinct variants of `pool`: each tree with the δ and ρ that it depends on.

    A tree that is named takes every ρ; `all` brings the 20 trees at the first ρ alone, as in
    the paper's benchmark: with every ρ, their union is half as large again.
    """
    rhos, found = params.pool.thresholds(), {}
    for name in params.pool.taxonomies:
        names, pairs = (TREES, rhos[:1]) if name == ALL else ([name], rhos)
        for one in (tree(own, params.taxonomies) for own in names):
            for thresholds in variants(one, params.pool.deltas, pairs):
                found.setdefault((one.name, *thresholds.items()), Variant(one, thresholds))
    return list(found.values())


def two_priorities(frame: pd.DataFrame, seed: int) -> tuple[UInt64[np.ndarray, " n"], ...]:
    """Priorities of every sequence: for the sample, and for its training part."""
    ids = frame["sequence_id"].to_numpy()
    return priorities(ids, seed), priorities(ids, seed, stream=1)


def draw_variant(
    labels: Int8[np.ndarray, " n"], classes: tuple[str, ...], orders, samples: Samples
) -> Draw:
    """Draw a variant's sample: the same one in the pool as in the label stage."""
    return draw(labels, classes, *orders, **samples.model_dump())


def unite(
    frame: pd.DataFrame, params: PoolSettings
) -> tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " n"], pd.DataFrame]:
    """Draw every declared variant.

    Returns:
        Which rows some variant samples; which of them the gallery shows, of each class of the
        first variant that can be filled; one line for each variant.

    Raises:
        UserError: no variant can be filled, or a declared taxonomy is wrong.
    """
    orders = two_priorities(frame, params.seed)
    in_pool, gallery, lines = np.zeros(len(frame), bool), np.zeros(len(frame), bool), []
    for variant in tqdm(declared(params), desc="variants", unit="variant", disable=None):
        labels = variant.classify(frame)
        rows, shortage = attempt(variant, labels, orders, params.samples)
        if len(rows) and not in_pool.any():
            chosen = sample(labels[rows], orders[0][rows], params.attention.gallery)
            gallery[rows[chosen]] = True
        counts = count(labels, variant.tree.classes)
        lines.append(line(variant, counts, rows, int((~in_pool[rows]).sum()), shortage))
        in_pool[rows] = True
    if not in_pool.any():
        raise UserError("pool: no declared variant can be filled (see the warnings above)")
    return in_pool, gallery, pd.DataFrame(lines)


def attempt(variant: Variant, labels, orders, samples: Samples) -> tuple[np.ndarray, str]:
    """Draw a variant: its rows, and whether they are as many as asked (none where they cannot)."""
    try:
        drawn = draw_variant(labels, variant.tree.classes, orders, samples)
    except UserError as error:
        tqdm.write(f"warning: pool: {variant.name} left out: {error}", file=sys.stderr)
        return np.empty(0, np.int64), "left out"
    return drawn.rows, "balanced" if drawn.balanced else "no"


def line(variant: Variant, counts: dict[str, int], rows, adds: int, shortage: str) -> dict:
    """One line of variants.csv."""
    return {
        "variant": variant.name,
        "classes": " ".join(f"{name}:{number}" for name, number in counts.items()),
        "sequences": len(rows),
        "adds": adds,
        "shortage": shortage,
    }


def summary(report: pd.DataFrame) -> dict[str, float]:
    """What the union costs beside the sum of its variants."""
    union, total = report["adds"].to_numpy().sum(), report["sequences"].to_numpy().sum()
    kinds = report["shortage"].to_list()
    return {
        "sequences": int(union),
        "sum_over_variants": int(total),
        "ratio": float(total / union),
        "variants": len(report),
        "balanced": kinds.count("balanced"),
        "left_out": kinds.count("left out"),
    }
