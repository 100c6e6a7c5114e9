"""Memorization score and perplexities of every sequence: `python src/run.py score`."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from guess_or_recall.files import (
    content_hash,
    read_json,
    read_table,
    scratch,
    token_column,
    token_matrix,
    write_json,
    write_table,
)
from guess_or_recall.model.load import load_model
from guess_or_recall.model.scoring import Scores, check_vocabulary, score
from guess_or_recall.params import read_params

SEQUENCES = Path("data/sequences/sequences.parquet")
MODEL = Path("data/model")
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
    settings = read_params().score
    sequences = read_table(SEQUENCES, SCHEMA)
    tokens = token_matrix(sequences["tokens"])
    model = load_model(MODEL)
    check_vocabulary(tokens, model.config.get_text_config().vocab_size)
    weights = read_json(MODEL / "model.json")["weights"]
    matters = settings.model_dump(), content_hash(SEQUENCES), weights, str(model.device)
    with scratch("score", *matters) as folder:
        parts = [folder / f"{start}.parquet" for start in range(0, len(tokens), settings.shard)]
        for number, part in enumerate(tqdm(parts, desc="scoring", unit="shard")):
            if not part.exists():
                rows = slice(number * settings.shard, (number + 1) * settings.shard)
                found = score(model, tokens[rows], settings.batch, settings.decode_batch)
                write_table(part, score_table(sequences["sequence_id"][rows], found))
        scores = pa.concat_tables(pq.read_table(part) for part in parts)
        write_table(Path("data/score/score.parquet"), scores)
    write_json(Path("metrics/score.json"), summary(sequences, scores["memorization_score"]))


def score_table(sequence_id: pa.ChunkedArray, scores: Scores) -> pa.Table:
    """A row per sequence: its id, its scores, the model's continuation."""
    table = {"sequence_id": sequence_id, **scores._asdict()}
    for name in ("prompt_perplexity", "generation_perplexity", "sequence_perplexity"):
        table[name] = pa.array(table[name], pa.float32())
    table["continuation"] = token_column(scores.continuation)
    return pa.table(table)


def summary(sequences: pa.Table, memorization_score: pa.ChunkedArray) -> dict:
    """Shares of memorized sequences: of all, of each planted kind, and against duplicates."""
    scores = memorization_score.to_numpy()
    memorized = scores == 1
    frame = pd.DataFrame(
        {
            "memorized": memorized,
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
        "memorized": int(memorized.sum()),
        "memorized_share": float(memorized.mean()),
        "mean_memorization_score": float(scores.mean()),
        "memorized_share_by_planted": shares(frame, "planted"),
        "memorized_share_by_duplicates": shares(frame, "duplicates"),
    }


def shares(frame: pd.DataFrame, by: str) -> dict[str, dict]:
    """Number of sequences and memorized share of each group."""
    groups = frame.groupby(by, observed=True)["memorized"]
    return {
        str(name): {"sequences": len(group), "share": round(float(np.mean(group)), 4)}
        for name, group in groups
    }
