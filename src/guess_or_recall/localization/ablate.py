"""What the model recites when attention is cut, layer by layer: `python src/run.py ablate`.

Makes data/ablate/: sequences.parquet (a row a sequence and cut), ablation.csv (a row a class and
cut, with 95% intervals) and agreement.csv (do the Δ profiles predict the damage?); and
metrics/ablate.json.
"""

# pandas' stubs take a selected table or column for any of five types
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from jaxtyping import Float, Int, Int8, Int64

from guess_or_recall.io.files import atomic
from guess_or_recall.io.tables import read_rows, read_table, token_matrix
from guess_or_recall.localization.ablation import Measured
from guess_or_recall.localization.cuts import Cut
from guess_or_recall.settings.ablate import AblateSettings
from guess_or_recall.statistics.agreement import rank_agreement
from guess_or_recall.statistics.intervals import mean_interval, wilson
from guess_or_recall.taxonomy.labels import Labels
from guess_or_recall.taxonomy.sampling import priorities, sample

DATA = Path("data")
OUTPUT = DATA / "ablate"
STREAM = 3  # of priorities: independent of the sequences that `localize` takes
TOKENS = pa.schema([("sequence_id", pa.int64()), ("tokens", pa.list_(pa.int32(), 64))])
WHOLE = Cut("whole", (), False)
LOSSES = {"suffix_perplexity": "suffix_loss", "sequence_perplexity": "sequence_loss"}


def chosen(labels: Labels, each: int, seed: int) -> Int64[np.ndarray, " k"]:
    """Rows of the evaluation sequences that are measured, at most `each` of a class."""
    rows = np.flatnonzero(labels.is_eval)
    order = priorities(labels.sequence_ids[rows], seed, STREAM)
    return rows[sample(labels.labels[rows], order, each)]


def read_tokens(ids: Int64[np.ndarray, " n"]) -> Int[np.ndarray, "n 64"]:
    """The true tokens of some sequences, those of the corpus for all classes."""
    table = read_rows(DATA / "sequences" / "sequences.parquet", TOKENS, ids)
    known = table["sequence_id"].to_numpy()
    return token_matrix(table["tokens"])[np.searchsorted(known, ids)]


def every_sequence(
    ids: Int64[np.ndarray, " n"], labels: Int8[np.ndarray, " n"], cuts: list[Cut], found: Measured
) -> pa.Table:
    """What was measured, a row a sequence and cut."""
    each = {"how": "how", "layers": "name", "drawn": "drawn"}
    columns = {
        column: pa.array(np.repeat([getattr(cut, name) for cut in cuts], len(ids)))
        for column, name in each.items()
    }
    columns["sequence_id"] = pa.array(np.tile(ids, len(cuts)))
    columns["label"] = pa.array(np.tile(labels, len(cuts)))
    return pa.table(columns | {n: pa.array(v.ravel()) for n, v in found._asdict().items()})


def summed_up(
    cuts: list[Cut],
    found: Measured,
    labels: Int8[np.ndarray, " n"],
    classes: list[str],
    params: AblateSettings,
) -> pd.DataFrame:
    """Shares and means of each class and cut, with their intervals."""
    named = {
        "how": [cut.how for cut in cuts],
        "layers": [cut.name for cut in cuts],
        "width": [len(cut.layers) for cut in cuts],
        "drawn": [cut.drawn for cut in cuts],
    }
    tables = []
    for label, name in enumerate(classes):
        own = Measured(*(values[:, labels == label].T for values in found))
        columns = {"sequences": len(own.extractable), **class_columns(own, params)}
        tables.append(pd.DataFrame({"class": name, **named, **columns}))
    return pd.concat(tables, ignore_index=True)


def class_columns(own: Measured, params: AblateSettings) -> dict[str, np.ndarray]:
    """One class, a row a sequence and a column a cut: values and bounds of each cut."""
    successes, n = own.extractable.sum(0), len(own.extractable)
    bounds = wilson(successes, np.full(len(successes), n))
    columns = triple("extractable", successes / n, *bounds)
    resamples, seed = params.ablate.bootstrap, params.seed
    bounds = mean_interval(own.matched, resamples, seed)
    columns |= triple("matched", own.matched.mean(0), *bounds)
    for name, field in LOSSES.items():
        losses = getattr(own, field)
        bounds = mean_interval(losses, resamples, seed)
        columns |= triple(name, *map(np.exp, (losses.mean(0), *bounds)))
    return columns


def triple(name: str, value: np.ndarray, low: np.ndarray, high: np.ndarray) -> dict:
    """Three columns: a value and its interval."""
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def agreements(
    cuts: list[Cut],
    found: Measured,
    labels: Int8[np.ndarray, " n"],
    classes: list[str],
    params: AblateSettings,
) -> pd.DataFrame:
    """Rank correlation of each class's Δ profile with what each cut of one layer costs."""
    rows = []
    for how in params.ablate.cuts:
        alone = [i for i, cut in enumerate(cuts) if cut.how == how and len(cut.layers) == 1]
        profiles = read_profiles(len(alone)) if alone else {}
        for label, profile in profiles.items():
            damage = found.suffix_loss[alone][:, labels == label].T
            result = rank_agreement(profile, damage, params.ablate.bootstrap, params.seed)
            rows.append({"how": how, "class": classes[label], "layers": len(alone), **result})
    return pd.DataFrame(rows, columns=["how", "class", "layers", "spearman", "low", "high"])


def read_profiles(layers: int) -> dict[int, Float[np.ndarray, "n layers"]]:
    """Mean Δ of each sequence that `localize` took, by class."""
    schema = pa.schema([("label", pa.int8()), ("delta", pa.list_(pa.float32(), layers))])
    table = read_table(DATA / "localize" / "profiles.parquet", schema)
    labels = table["label"].to_numpy()
    values = token_matrix(table["delta"]).astype(np.float64)
    return {int(label): values[labels == label] for label in np.unique(labels)}


def summary(
    table: pd.DataFrame, agreement: pd.DataFrame, labels: np.ndarray, classes: list[str]
) -> dict:
    """The model whole; the layer whose silence costs each class most; agreement with Δ."""
    alone = table[(table["how"] == "off") & (table["width"] == 1)]
    found = {}
    for name in classes:
        whole = table[(table["how"] == "whole") & (table["class"] == name)].iloc[0]
        own = alone[alone["class"] == name].reset_index(drop=True)
        found[name] = {
            "extractable": float(whole["extractable"]),
            "suffix_perplexity": float(whole["suffix_perplexity"]),
            "mean_extractable_without_a_layer": float(own["extractable"].mean()),
            "worst_layer": int(own["suffix_perplexity"].idxmax()),
            "suffix_perplexity_without_it": float(own["suffix_perplexity"].max()),
        }
    silent = agreement[(agreement["how"] == "off") & agreement["spearman"].notna()]
    return {
        "sequences": dict(zip(classes, np.bincount(labels).tolist(), strict=True)),
        "classes": found,
        "spearman_of_delta_and_off": {
            row["class"]: {key: row[key] for key in ("spearman", "low", "high")}
            for row in silent.to_dict("records")
        },
    }


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    """Write a CSV file, atomically."""
    with atomic(path) as temporary:
        frame.to_csv(temporary, index=False)
