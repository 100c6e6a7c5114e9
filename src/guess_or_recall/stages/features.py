"""ROUGE, templates and code, from tokens and text alone: `python src/run.py features`."""

from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Bool

from guess_or_recall.files import read_table, token_matrix, write_json, write_table
from guess_or_recall.memorization.code import describe_detector, is_code
from guess_or_recall.memorization.rouge import rouge_3, rouge_l
from guess_or_recall.memorization.templates import templates
from guess_or_recall.params import read_params

SCHEMA = pa.schema(
    {"sequence_id": pa.int64(), "tokens": pa.list_(pa.int32(), 64), "text": pa.string()}
)


def main() -> None:
    """Read params.yaml and the sequences; write data/features and metrics/features.json."""
    params = read_params()
    detects_code = params.features.is_code == "magika"
    sequences = read_table(Path("data/sequences/sequences.parquet"), SCHEMA)
    features = compute_features(sequences, detects_code)
    write_table(Path("data/features/features.parquet"), features)
    detector = describe_detector() if detects_code else None
    write_json(Path("metrics/features.json"), summary(features) | {"code_detector": detector})


def compute_features(sequences: pa.Table, detects_code: bool) -> pa.Table:
    """Features of every sequence, in the order of the sequences.

    They describe the original text, also where the model continues the prefix differently.
    """
    tokens, texts = token_matrix(sequences["tokens"]), sequences["text"].to_pylist()
    incrementing, repeating = templates(texts)
    code: Bool[np.ndarray, " n"] = is_code(texts) if detects_code else np.zeros(len(texts), bool)
    columns = {
        "rouge_3": rouge_3(tokens),
        "rouge_l": rouge_l(tokens),
        "is_incrementing": incrementing,
        "is_repeating": repeating,
        "is_code": code,
    }
    return pa.table({"sequence_id": sequences["sequence_id"], **columns})


def summary(features: pa.Table) -> dict:
    """Mean ROUGE; count and share of each kind of text."""
    count = features.num_rows
    means = {f"mean_{name}": mean(features, name) for name in ("rouge_3", "rouge_l")}
    kinds = {
        name: {"sequences": int(features[name].to_numpy().sum()), "share": mean(features, name)}
        for name in ("is_incrementing", "is_repeating", "is_code")
    }
    return {"sequences": count, **means, **kinds}


def mean(features: pa.Table, name: str) -> float:
    """Mean of a column, rounded for reading."""
    return round(float(features[name].to_numpy().mean()), 6)
