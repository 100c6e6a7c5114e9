"""Δ maps of the current variant's CNNs: `python src/run.py localize`.

Makes data/localize/: delta.safetensors (delta [classes, layers, query, key], the mean over
sequences and CNNs), profiles.parquet (a row a sequence: its mean Δ in each layer) and
profile.csv (the mean of each class and layer, with its interval); and metrics/localize.json.
"""

# pandas' stubs take a selected table or column for any of five types
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from jaxtyping import Bool, Int8, Int64

from guess_or_recall.attention.reading import read_pooled
from guess_or_recall.attention.store import POOLINGS
from guess_or_recall.classifier.cnn import Cnn
from guess_or_recall.localization.delta import Deltas, deltas
from guess_or_recall.settings.localize import Localize
from guess_or_recall.statistics.intervals import mean_interval
from guess_or_recall.taxonomy.labels import Labels
from guess_or_recall.taxonomy.sampling import priorities, sample

DATA = Path("data")
OUTPUT = DATA / "localize"
STREAM = 2  # of priorities: independent of the sample's and its parts'


def chosen(
    labels: Labels, among: Bool[np.ndarray, " n"], each: int, seed: int
) -> Int64[np.ndarray, " k"]:
    """Rows whose attention is looked at: of those marked in `among`, at most `each` of a class."""
    rows = np.flatnonzero(among)
    order = priorities(labels.sequence_ids[rows], seed, STREAM)
    return rows[sample(labels.labels[rows], order, each)]


def located(
    cnns: list[Cnn],
    store: Path,
    sequence_ids: Int64[np.ndarray, " n"],
    labels: Int8[np.ndarray, " n"],
    settings: Localize,
) -> Deltas:
    """Δ of sequences of a store, a folder of shards or a subset."""
    pooled = {name: read_pooled(store, sequence_ids, name) for name in POOLINGS}
    return deltas(cnns, pooled, labels, settings.gradients, settings.batch)


def profiles(found: Deltas, labels: Labels, rows: Int64[np.ndarray, " n"]) -> pa.Table:
    """Mean Δ over positions and CNNs: a row a sequence, a list of layers."""
    values = found.profiles.mean(0)
    return pa.table(
        {
            "sequence_id": pa.array(labels.sequence_ids[rows]),
            "label": pa.array(labels.labels[rows]),
            "delta": pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1]),
        }
    )


def profile(
    found: Deltas, labels: np.ndarray, classes: list[str], resamples: int, seed: int
) -> pd.DataFrame:
    """Mean Δ of each class that has sequences, and layer, with 95% intervals over sequences."""
    values = found.profiles.mean(0).astype(np.float64)
    tables = []
    for label, name in enumerate(classes):
        own = values[labels == label]
        if not len(own):
            continue
        low, high = mean_interval(own, resamples, seed)
        layers = np.arange(values.shape[1])
        columns = {"class": name, "layer": layers, "delta": own.mean(0), "low": low, "high": high}
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def summary(table: pd.DataFrame, labels: np.ndarray, classes: list[str], cnns: int) -> dict:
    """Sequences used, and the layer of the highest mean Δ of each class."""
    counts = np.bincount(labels, minlength=len(classes)).tolist()
    peaks = table.loc[table.groupby("class", sort=False)["delta"].idxmax()]
    return {
        "cnns": cnns,
        "sequences": dict(zip(classes, counts, strict=True)),
        "peak_layer": dict(zip(peaks["class"], peaks["layer"].tolist(), strict=True)),
        "peak_delta": dict(zip(peaks["class"], peaks["delta"].tolist(), strict=True)),
    }
