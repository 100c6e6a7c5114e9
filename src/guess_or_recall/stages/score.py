"""Memorization score and perplexities of every sequence: `python src/run.py score`."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from guess_or_recall.files import read_table, token_column, token_matrix, write_json, write_table
from guess_or_recall.model.load import load_model
from guess_or_recall.model.scoring import Scores, score
from guess_or_recall.params import read_params

SCHEMA = pa.schema(
    {
        "sequence_id": pa.int64(),
        "tokens": pa.list_(pa.int32(), 64),
        "sequence_duplicates": pa.int64(),
        "planted": pa.string(),
    }
)


def main() -> None:
    """Read params.yaml, the sequences and the model; write data/score and metrics/score.json."""
    params = read_params()
    sequences = read_table(Path("data/sequences/sequences.parquet"), SCHEMA)
    model = load_model(Path("data/model"))
    scores = score(
        model, token_matrix(sequences["tokens"]), params.score.batch, params.score.decode_batch
    )
    table = {"sequence_id": sequences["sequence_id"], **scores._asdict()}
    for name in ("prompt_perplexity", "generation_perplexity", "sequence_perplexity"):
        table[name] = pa.array(table[name], pa.float32())
    table["continuation"] = token_column(scores.continuation)
    write_table(Path("data/score/score.parquet"), pa.table(table))
    write_json(Path("metrics/score.json"), summary(sequences, scores))


def summary(sequences: pa.Table, scores: Scores) -> dict:
    """Shares of memorized sequences: of all, of each planted kind, and against duplicates."""
    frame = pd.DataFrame(
        {
            "memorized": scores.memorization_score == 1,
            "planted": sequences["planted"].to_pandas().fillna("unknown"),
            "duplicates": sequences["sequence_duplicates"].to_numpy(),
        }
    )
    frame["duplicates"] = pd.cut(
        frame["duplicates"],
        [0, 1, 2, 3, 5, 8, 16, 50, 1000, np.inf],
        labels=["1", "2", "3", "4-5", "6-8", "9-16", "17-50", "51-1000", "over 1000"],
    )
    return {
        "sequences": len(frame),
        "memorized": int(frame["memorized"].sum()),
        "memorized_share": float(frame["memorized"].mean()),
        "mean_memorization_score": float(scores.memorization_score.mean()),
        "memorized_share_by_planted": shares(frame, "planted"),
        "memorized_share_by_duplicates": shares(frame, "duplicates"),
    }


def shares(frame: pd.DataFrame, by: str) -> dict[str, dict]:
    """Number of sequences and memorized share of each group."""
    groups = frame.groupby(by, observed=True)["memorized"]
    return {
        str(name): {"sequences": len(group), "share": round(float(group.mean()), 4)}
        for name, group in groups
    }
