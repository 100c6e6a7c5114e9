"""The sequences of the pool, as their attention is studied.

A memorized sequence enters as it is; of another, the suffix is replaced by the model's own greedy
continuation of the prefix ("Guess or Recall?", section 3).
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float, Int32, Int64
from transformers import PreTrainedModel

from guess_or_recall.errors import UserError
from guess_or_recall.io import paths, schemas
from guess_or_recall.io.files import atomic
from guess_or_recall.io.scratch import locked
from guess_or_recall.io.tables import read_rows, read_table, token_matrix
from guess_or_recall.model.scoring import UNKNOWN, score
from guess_or_recall.settings.lengths import Lengths


class Studied(NamedTuple):
    """The sequences as they are studied, but for those that the model has yet to continue."""

    sequence_ids: Int64[np.ndarray, " n"]
    tokens: Int32[np.ndarray, "n length"]
    gallery: Bool[np.ndarray, " n"]
    unfinished: Bool[np.ndarray, " n"]


def read_studied(lengths: Lengths) -> Studied:
    """Read the pool; sequences that are not memorized and not continued are `unfinished`.

    Raises:
        UserError: a table is missing or has other columns, or the pool is not of these sequences.
    """
    tables = paths.SEQUENCES, paths.SCORE
    listed, scored = (read_table(path, schemas.SEQUENCE_ID)["sequence_id"] for path in tables)
    pool = read_table(paths.POOL, schemas.POOL)
    ids = np.asarray(pool["sequence_id"])
    if not np.array_equal(listed, scored):
        raise UserError("score.parquet and sequences.parquet differ in sequences: `dvc repro`")
    if not np.isin(ids, listed).all():
        raise UserError("pool.parquet has ids that sequences.parquet lacks: `dvc repro`")
    columns = schemas.select(schemas.sequences(lengths.total), "sequence_id", "tokens")
    true = token_matrix(read_rows(paths.SEQUENCES, columns, ids)["tokens"])
    names = "sequence_id", "memorization_score", "continuation"
    scores = read_rows(paths.SCORE, schemas.select(schemas.score(lengths.suffix), *names), ids)
    memorization_score = np.asarray(scores["memorization_score"])
    continuation, is_known = known_continuations(scores["continuation"], true[:, lengths.prefix :])
    tokens = studied_tokens(true, continuation, memorization_score)
    unfinished = ~is_known & (memorization_score != 1)
    return Studied(ids, tokens, np.asarray(pool["gallery"]), unfinished)


def known_continuations(
    column: pa.ChunkedArray, suffix: Int32[np.ndarray, "n suffix"]
) -> tuple[Int32[np.ndarray, "n suffix"], Bool[np.ndarray, " n"]]:
    """The model's continuations, the true suffix where they are unknown; and which are known."""
    continuation = token_matrix(column)
    is_known = continuation[:, 0] != UNKNOWN
    return np.where(is_known[:, None], continuation, suffix), is_known


def studied_tokens(
    tokens: Int32[np.ndarray, "n length"],
    continuation: Int32[np.ndarray, "n suffix"],
    memorization_score: Float[np.ndarray, " n"],
) -> Int32[np.ndarray, "n length"]:
    """Sequences as they are studied: with the model's continuation, unless their score is 1."""
    prefix = tokens[:, : tokens.shape[1] - continuation.shape[1]]
    continued = np.concatenate([prefix, continuation], axis=1)
    return np.where((memorization_score == 1)[:, None], tokens, continued)


def finished_tokens(
    model: PreTrainedModel, studied: Studied, prefix: int, batch: int, path: Path
) -> Int32[np.ndarray, "n length"]:
    """Tokens of all sequences, the unfinished ones continued by the model.

    Continuations are kept in the file `path`, so that a killed run goes on with the same ones.
    """
    if not studied.unfinished.any():
        return studied.tokens
    with locked(path.with_suffix(".lock")):  # the parts of several GPUs need them only once
        if not path.exists():
            unfinished = studied.tokens[studied.unfinished]
            continuation = score(model, unfinished, prefix, batch, batch).continuation
            with atomic(path) as temporary:
                continuation.astype(np.int32).tofile(temporary)
    tokens = studied.tokens.copy()
    suffix = tokens.shape[1] - prefix
    tokens[studied.unfinished, prefix:] = np.fromfile(path, np.int32).reshape(-1, suffix)
    return tokens
