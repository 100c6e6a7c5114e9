"""The sample of one variant: its classes, its training and evaluation parts, and their counts."""

import numpy as np
import pandas as pd
import pyarrow as pa
from jaxtyping import Int, Int8

from guess_or_recall.errors import UserError
from guess_or_recall.io import paths, schemas
from guess_or_recall.settings.taxonomy import LabelSettings
from guess_or_recall.taxonomy.candidates import Population
from guess_or_recall.taxonomy.declared import way_out
from guess_or_recall.taxonomy.drawing import Draw, draw, orders
from guess_or_recall.taxonomy.sampling import count
from guess_or_recall.taxonomy.variants import current_variant


def labelled(settings: LabelSettings, population: Population) -> tuple[pa.Table, dict]:
    """Classes of the current variant's sample, and the counts to report.

    Raises:
        UserError: a class has too few sequences, or the pool lacks some of the sample.
    """
    variant, ids = current_variant(settings), population.frame["sequence_id"].to_numpy()
    labels, classes = variant.classify(population.frame), variant.tree.classes
    drawn = draw(labels, classes, orders(ids, settings.seed), settings.samples)
    require_in_pool(ids[drawn.rows], population.pooled, settings)
    return table(ids, labels, drawn, classes), report(labels, drawn, classes, population.planted)


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
    return pa.table(columns, schema=schemas.LABELS)


def require_in_pool(
    sampled: Int[np.ndarray, " m"], pooled: Int[np.ndarray, " pooled"], settings: LabelSettings
) -> None:
    """Check that attention was extracted for the sample.

    Raises:
        UserError: a sampled sequence is not in the pool; names what to add to params.yaml.
    """
    absent = len(np.setdiff1d(sampled, pooled))
    if absent:
        raise UserError(
            f"{paths.POOL} has no {absent} of the {len(sampled)} sampled: {way_out(settings)}"
        )


def report(
    labels: Int8[np.ndarray, " n"], drawn: Draw, classes: tuple[str, ...], planted: pd.Series
) -> dict:
    """Counts of the classes, in the corpus and in the sample, and by planting where it is known."""
    sampled = {"train": drawn.train, "eval": drawn.eval}
    counts = {
        "corpus": count(labels, classes),
        "sampled": dict.fromkeys(classes, sampled),
        "shortage": drawn.balanced,
    }
    if planted.isna().all():
        return counts
    names = pd.Categorical.from_codes(labels, classes)
    crossed = pd.crosstab(names, planted.fillna("unknown").to_numpy(), dropna=False)
    return counts | {"planted": {name: crossed.loc[name].to_dict() for name in classes}}
