"""Scores that were published with the sequences: taken over, or compared with the model."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool, Int
from transformers import PreTrainedModel

from guess_or_recall.io.schemas import PERPLEXITIES, published_sequences, select
from guess_or_recall.io.schemas import score as score_schema
from guess_or_recall.io.tables import read_table, token_column
from guess_or_recall.model.scoring import UNKNOWN, score
from guess_or_recall.model.shards import batches_of
from guess_or_recall.settings.score import Score

COLUMNS = [f"published_{name}" for name in ("memorization_score", *PERPLEXITIES)]
PART = 262144  # rows written at once


def published_scores(sequences: pa.Table, suffix: int) -> Iterator[pa.Table]:
    """The published scores in the columns of score.parquet, some rows at a time.

    The model's continuations stay unknown: the stage `attention` makes those that it needs.
    """
    for start in range(0, len(sequences), PART):
        part = sequences.slice(start, PART)
        columns = {name.removeprefix("published_"): part[name] for name in COLUMNS}
        columns["continuation"] = token_column(np.full((len(part), suffix), UNKNOWN))
        yield pa.table({"sequence_id": part["sequence_id"], **columns}, schema=score_schema(suffix))


def drawn_for_recheck(
    ids: Int[np.ndarray, " n"], count: int, seed: int
) -> Int[np.ndarray, " drawn"]:
    """A random sample of the published memorized sequences, sorted."""
    return np.sort(np.random.default_rng(seed).permutation(ids)[:count])


def reextracted_share(
    model: PreTrainedModel, tokens: Int[np.ndarray, "n length"], prefix: int, settings: Score
) -> float:
    """Share of published memorized sequences that the model extracts, to four digits."""
    batches = batches_of(model, settings)
    scores = score(model, tokens, prefix, *batches, decoded=False)
    return round(float(np.mean(scores.memorization_score == 1)), 4)


def agreement(path: Path, length: int, memorized: Bool[np.ndarray, " n"]) -> dict[str, float]:
    """Share of the sequences on which a published score, where there is one, says the same.

    Args:
        path: of sequences.parquet.
        length: tokens of a sequence.
        memorized: by the model's own score, in the order of the table.
    """
    if COLUMNS[0] not in pq.read_schema(path).names:
        return {}
    column = select(published_sequences(length), COLUMNS[0])
    published = read_table(path, column)[COLUMNS[0]].to_numpy() == 1
    both = (memorized & published).sum() / max(published.sum(), 1)
    return {
        "published_agreement": round(float(np.mean(memorized == published)), 4),
        "reextracted_share": round(float(both), 4),
    }
