"""Attention patterns of the pool, pooled over heads; of the gallery, every head.

    python src/run.py attention

Makes data/attention/ (shards, view.h5, provenance.json), data/gallery/gallery.h5 and
metrics/attention.json. An interrupted run is taken up again at its last finished shard.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Int32, Int64
from transformers import PreTrainedModel

from guess_or_recall.attention.extract import (
    extract,
    library_versions,
    studied_tokens,
)
from guess_or_recall.attention.gallery import read_gallery
from guess_or_recall.device import device
from guess_or_recall.errors import UserError
from guess_or_recall.io.files import atomic, read_json
from guess_or_recall.io.scratch import locked, scratch
from guess_or_recall.io.tables import read_rows, read_table, token_matrix
from guess_or_recall.model.batches import sequences_at_once
from guess_or_recall.model.load import load_model
from guess_or_recall.model.scoring import LENGTH, PREFIX, UNKNOWN, score
from guess_or_recall.settings.attention import Attention

DATA = Path("data")
SEQUENCES = pa.schema([("sequence_id", pa.int64()), ("tokens", pa.list_(pa.int32(), 64))])
SCORE = pa.schema(
    [
        ("sequence_id", pa.int64()),
        ("memorization_score", pa.float64()),
        ("continuation", pa.list_(pa.int32(), 32)),
    ]
)
POOL = pa.schema([("sequence_id", pa.int64()), ("gallery", pa.bool_())])
ID = pa.schema([("sequence_id", pa.int64())])


class Pool(NamedTuple):
    """The sequences as they are studied, but for those that the model has yet to continue."""

    sequence_ids: Int64[np.ndarray, " n"]
    tokens: Int32[np.ndarray, "n 64"]
    gallery: Bool[np.ndarray, " n"]
    unfinished: Bool[np.ndarray, " n"]


def extract_part(settings: Attention, part: int, parts: int) -> None:
    """Extract every `parts`-th shard, from number `part` (of 0, 1, ...) on; the stage takes it up.

    Other parts may be extracted at the same time, each on a GPU of its own.
    """
    with working(settings, shared=True) as (model, pool, folder, sizes):
        shards = folder / "attention"
        extract(model, pool.sequence_ids, pool.tokens, shards, **sizes, part=(part, parts))


@contextmanager
def working(
    settings: Attention, shared: bool = False
) -> Iterator[tuple[PreTrainedModel, Pool, Path, dict]]:
    """The model, the pool with all its continuations, the scratch folder, settings of `extract`."""
    pool = read_pool()
    provenance = read_provenance(settings, pool)
    model = load_model(DATA / "model")
    batch = sequences_at_once(settings.batch, model)
    sizes = {"batch": batch, "shard": settings.shard, "provenance": provenance}
    with scratch("attention", provenance, shared=shared) as folder:
        tokens = continued(model, pool, batch, folder / "continuations.int32")
        yield model, pool._replace(tokens=tokens), folder, sizes


def read_pool() -> Pool:
    """Read the pool; sequences that are not memorized and not continued are `unfinished`.

    Raises:
        UserError: a table is missing or has other columns, or the pool is not of these sequences.
    """
    paths = DATA / "sequences/sequences.parquet", DATA / "score/score.parquet"
    known, scored = (np.asarray(read_table(path, ID)["sequence_id"]) for path in paths)
    pool = read_table(DATA / "pool/pool.parquet", POOL)
    ids = np.asarray(pool["sequence_id"])
    if not np.array_equal(known, scored):
        raise UserError("score.parquet and sequences.parquet differ in sequences: `dvc repro`")
    if not np.isin(ids, known).all():
        raise UserError("pool.parquet has ids that sequences.parquet lacks: `dvc repro`")
    sequences, scores = read_rows(paths[0], SEQUENCES, ids), read_rows(paths[1], SCORE, ids)
    true, score = token_matrix(sequences["tokens"]), np.asarray(scores["memorization_score"])
    continuation, is_known = known_continuations(scores["continuation"], true)
    tokens = studied_tokens(true, continuation, score)
    return Pool(ids, tokens, np.asarray(pool["gallery"]), ~is_known & (score != 1))


def known_continuations(
    column: pa.ChunkedArray, tokens: Int32[np.ndarray, "n 64"]
) -> tuple[Int32[np.ndarray, "n 32"], Bool[np.ndarray, " n"]]:
    """The model's continuations, the true suffix where they are unknown; and which are known."""
    continuation = token_matrix(column)
    is_known = continuation[:, 0] != UNKNOWN
    return np.where(is_known[:, None], continuation, tokens[:, PREFIX:]), is_known


def continued(
    model: PreTrainedModel, pool: Pool, batch: int, path: Path
) -> Int32[np.ndarray, "n 64"]:
    """Tokens of the pool, its unfinished sequences continued by the model.

    Continuations are kept in the file `path`, so that a killed run goes on with the same ones.
    """
    if not pool.unfinished.any():
        return pool.tokens
    with locked(path.with_suffix(".lock")):  # the parts of several GPUs need them only once
        if not path.exists():
            made = score(model, pool.tokens[pool.unfinished], batch, batch).continuation
            with atomic(path) as temporary:
                made.astype(np.int32).tofile(temporary)
    tokens = pool.tokens.copy()
    tokens[pool.unfinished, PREFIX:] = np.fromfile(path, np.int32).reshape(-1, LENGTH - PREFIX)
    return tokens


def read_provenance(settings: Attention, pool: Pool) -> dict[str, str | int]:
    """Everything that the attention depends on, as attributes of every file."""
    model = read_json(DATA / "model/model.json")
    inputs = [pool.sequence_ids, pool.tokens, pool.gallery]
    inputs += [pool.unfinished] if pool.unfinished.any() else []
    return {
        "model": model.get("name") or model["path"],
        **{key: model[key] for key in ("commit", "dtype") if model.get(key)},
        "weights": model["weights"],
        "inputs": hashlib.sha256(b"".join(array.tobytes() for array in inputs)).hexdigest(),
        "batch": settings.batch,
        "shard": settings.shard,
        "device": device().type,
        **library_versions(),
    }


def measure() -> dict[str, int | float]:
    """Size of the store, and layers and heads of the model, from the files written."""
    provenance = read_json(DATA / "attention/provenance.json")
    size = sum(path.stat().st_size for path in (DATA / "attention").glob("*.h5"))
    heads = read_gallery(DATA / "gallery/gallery.h5")[1].shape[2]
    return {
        "sequences": provenance["sequences"],
        "bytes": size,
        "bytes_per_sequence": round(size / provenance["sequences"], 1),
        "layers": provenance["layers"],
        "heads": heads,
    }
