"""Memorization score and perplexities of every sequence: `python src/run.py score`."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool, Int
from tqdm import tqdm
from transformers import PreTrainedModel

from guess_or_recall.io.files import content_hash, read_json
from guess_or_recall.io.scratch import scratch
from guess_or_recall.io.tables import (
    read_rows,
    read_table,
    token_column,
    token_matrix,
    write_parts,
    write_table,
)
from guess_or_recall.model.batches import sequences_at_once, worth_compiling
from guess_or_recall.model.interface import attention_modules, blocks_of, compiled
from guess_or_recall.model.load import load_model
from guess_or_recall.model.scoring import LENGTH, PREFIX, UNKNOWN, Scores, check_vocabulary, score
from guess_or_recall.settings.score import Score

SEQUENCES = Path("data/sequences/sequences.parquet")
MODEL = Path("data/model")
OUTPUT = Path("data/score/score.parquet")
PERPLEXITIES = ("prompt_perplexity", "generation_perplexity", "sequence_perplexity")
SCHEMA = pa.schema(
    {
        "sequence_id": pa.int64(),
        "tokens": pa.list_(pa.int32(), 64),
        "sequence_duplicates": pa.int64(),
        "planted": pa.string(),
    }
)
TOKENS = pa.schema([SCHEMA.field("sequence_id"), SCHEMA.field("tokens")])
PUBLISHED = pa.schema(
    {
        "sequence_id": pa.int64(),
        "sequence_duplicates": pa.int64(),
        "planted": pa.string(),
        "published_memorization_score": pa.float64(),
    }
    | {f"published_{name}": pa.float32() for name in PERPLEXITIES}
)
PART = 262144  # rows written at once
LEAST_SHARE = 0.95  # of the published memorized sequences, that the model should extract


def measure(settings: Score) -> dict:
    """Score every sequence with the model; return what to report."""
    sequences = read_table(SEQUENCES, SCHEMA)
    tokens = token_matrix(sequences["tokens"])
    model = load_model(MODEL)
    check_vocabulary(tokens, model.config.get_text_config().vocab_size)
    weights = read_json(MODEL / "model.json")["weights"]
    matters = settings.model_dump(), content_hash(SEQUENCES), weights, str(model.device)
    batches, decoded = batches_of(model, settings), settings.decode == "all"
    with scratch("score", *matters) as folder, quick(model, len(tokens), batches[0]):
        parts = [folder / f"{start}.parquet" for start in range(0, len(tokens), settings.shard)]
        for number, part in enumerate(tqdm(parts, desc="scoring", unit="shard")):
            if not part.exists():
                rows = slice(number * settings.shard, (number + 1) * settings.shard)
                found = score(model, tokens[rows], *batches, decoded)
                write_table(part, score_table(sequences["sequence_id"][rows], found, decoded))
        scores = pa.concat_tables(pq.read_table(part) for part in parts)
        write_table(OUTPUT, scores)
    agreed = agreement(scores["memorization_score"].to_numpy() == 1)
    return summary(sequences, scores["memorization_score"]) | agreed


def agreement(memorized: Bool[np.ndarray, " n"]) -> dict[str, float]:
    """Share of the sequences on which a published score, where there is one, says the same."""
    name = "published_memorization_score"
    if name not in pq.read_schema(SEQUENCES).names:
        return {}
    published = read_table(SEQUENCES, pa.schema([PUBLISHED.field(name)]))[name].to_numpy() == 1
    both = (memorized & published).sum() / max(published.sum(), 1)
    return {
        "published_agreement": round(float(np.mean(memorized == published)), 4),
        "reextracted_share": round(float(both), 4),
    }


def batches_of(model: PreTrainedModel, settings: Score) -> tuple[int, int]:
    """Sequences of a forward pass, and sequences decoded together."""
    return sequences_at_once(settings.batch, model), sequences_at_once(settings.decode_batch, model)


def quick(model: PreTrainedModel, sequences: int, batch: int) -> AbstractContextManager:
    """The model with compiled blocks, where that pays."""
    if not worth_compiling(model, sequences, batch):
        return nullcontext()
    return compiled(blocks_of(model, attention_modules(model)))


def take_over(settings: Score, seed: int) -> dict:
    """Take the published scores over and recheck some with the model; return what to report.

    The model's continuations stay unknown: the stage `attention` makes those that it needs.
    """
    sequences = read_table(SEQUENCES, PUBLISHED)
    scores = sequences["published_memorization_score"]
    memorized = sequences["sequence_id"].to_numpy()[scores.to_numpy() == 1]
    rechecked = recheck(memorized, settings, seed)
    write_parts(OUTPUT, published_parts(sequences))
    return summary(sequences, scores) | rechecked


def published_parts(sequences: pa.Table) -> Iterator[pa.Table]:
    """The published scores in the columns of score.parquet, some rows at a time."""
    for start in range(0, len(sequences), PART):
        part = sequences.slice(start, PART)
        names = ("memorization_score", *PERPLEXITIES)
        columns = {name: part[f"published_{name}"] for name in names}
        columns["continuation"] = token_column(np.full((len(part), LENGTH - PREFIX), UNKNOWN))
        yield pa.table({"sequence_id": part["sequence_id"], **columns})


def recheck(memorized: Int[np.ndarray, " n"], settings: Score, seed: int) -> dict:
    """Extract a random sample of the published memorized sequences again, with the model.

    The published scores may be of another run of the model's training: a low share, of which
    stderr warns, says that they do not describe this one.
    """
    order = np.random.default_rng(seed).permutation(memorized)
    ids = np.sort(order[: settings.recheck])
    if not len(ids):
        return {"rechecked": 0, "reextracted_share": None}
    tokens = token_matrix(read_rows(SEQUENCES, TOKENS, ids)["tokens"])
    model = load_model(MODEL)
    found = score(model, tokens, *batches_of(model, settings), decoded=False).memorization_score
    share = float(np.mean(found == 1))
    if share < LEAST_SHARE:
        print(
            f"warning: score: the model extracts {share:.1%} of {len(ids)} sequences published as "
            f"memorized, under {LEAST_SHARE:.0%}: check model.path against "
            "sequences.semantic_filters.model, or set score.source to model",
            file=sys.stderr,
        )
    return {"rechecked": len(ids), "reextracted_share": round(share, 4)}


def score_table(sequence_id: pa.ChunkedArray, scores: Scores, decoded: bool = True) -> pa.Table:
    """A row per sequence: its id, its scores, its continuation (`UNKNOWN` if not decoded)."""
    table = {"sequence_id": sequence_id, **scores._asdict()}
    for name in PERPLEXITIES:
        table[name] = pa.array(table[name], pa.float32())
    known = decoded | (scores.memorization_score == 1)[:, None]
    table["continuation"] = token_column(np.where(known, scores.continuation, UNKNOWN))
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
