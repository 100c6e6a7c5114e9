"""Δ profiles: the mean of Δ over the positions of each layer, of sequences and of classes."""

# pandas' stubs take a selected table or column for any of five types
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from jaxtyping import Float, Int8, Int64

from guess_or_recall.io.schemas import delta_profiles as profiles_schema
from guess_or_recall.io.schemas import select
from guess_or_recall.io.tables import read_schema, read_table, token_matrix
from guess_or_recall.statistics.intervals import mean_interval


def sequence_profiles(
    profiles: Float[np.ndarray, "cnns n layers"],
    sequence_ids: Int64[np.ndarray, " n"],
    labels: Int8[np.ndarray, " n"],
    layers: list[int],
) -> pa.Table:
    """Mean Δ over positions and CNNs: a row a sequence, a list of layers.

    The metadata of the table has the model's own numbers of the layers.
    """
    means = profiles.mean(0)
    table = pa.table(
        {
            "sequence_id": pa.array(sequence_ids),
            "label": pa.array(labels),
            "delta": pa.FixedSizeListArray.from_arrays(pa.array(means.ravel()), means.shape[1]),
        },
        schema=profiles_schema(means.shape[1]),
    )
    return table.replace_schema_metadata({"layers": json.dumps(layers)})


def class_profiles(
    profiles: Float[np.ndarray, "cnns n layers"],
    labels: Int8[np.ndarray, " n"],
    classes: list[str],
    resamples: int,
    seed: int,
    layers: list[int],
) -> pd.DataFrame:
    """Mean Δ of each class that has sequences, and layer, with 95% intervals over sequences.

    Args:
        profiles: see `Deltas`.
        labels: class of each sequence.
        classes: names.
        resamples: of the sequences of a class.
        seed: of the resamples.
        layers: the model's own numbers of those that the profiles are of.
    """
    means = profiles.mean(0).astype(np.float64)
    tables = []
    for label, name in enumerate(classes):
        members = means[labels == label]
        if not len(members):
            continue
        low, high = mean_interval(members, resamples, seed)
        columns = {"delta": members.mean(0), "low": low, "high": high}
        tables.append(pd.DataFrame({"class": name, "layer": layers, **columns}))
    return pd.concat(tables, ignore_index=True)


def summary(
    table: pd.DataFrame, labels: Int8[np.ndarray, " n"], classes: list[str], cnns: int
) -> dict:
    """Sequences used, and the layer of the highest mean Δ of each class.

    Args:
        table: see `class_profiles`.
        labels: class of each sequence.
        classes: names.
        cnns: how many CNNs the profiles are of.
    """
    counts = np.bincount(labels, minlength=len(classes)).tolist()
    peaks = table.loc[table.groupby("class", sort=False)["delta"].idxmax()]
    return {
        "cnns": cnns,
        "sequences": dict(zip(classes, counts, strict=True)),
        "peak_layer": dict(zip(peaks["class"], peaks["layer"].tolist(), strict=True)),
        "peak_delta": dict(zip(peaks["class"], peaks["delta"].tolist(), strict=True)),
    }


def read_delta_profiles(path: Path, layers: int) -> dict[int, Float[np.ndarray, "n layers"]]:
    """Read the table of `sequence_profiles` back: mean Δ of the sequences of each class.

    Raises:
        UserError: it is not of a model of so many layers.
    """
    table = read_table(path, select(profiles_schema(layers), "label", "delta"))
    labels, means = table["label"].to_numpy(), token_matrix(table["delta"]).astype(np.float64)
    return {int(label): means[labels == label] for label in np.unique(labels)}


def layers_of_delta_profiles(path: Path) -> list[int]:
    """The model's own numbers of the layers in the table of `sequence_profiles`."""
    schema = read_schema(path)
    numbered = (schema.metadata or {}).get(b"layers")
    return json.loads(numbered) if numbered else list(range(schema.field("delta").type.list_size))
