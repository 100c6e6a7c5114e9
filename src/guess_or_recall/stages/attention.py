"""Attention patterns of the pool, pooled over heads; of the gallery, every head.

    python src/run.py attention

Makes data/attention/ (shards, view.h5, provenance.json), data/gallery/gallery.h5 and
metrics/attention.json. An interrupted run is taken up again at its last finished shard.
"""

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Int32, Int64

from guess_or_recall.attention.extract import (
    extract,
    extract_gallery,
    library_versions,
    studied_tokens,
)
from guess_or_recall.attention.store import read_gallery
from guess_or_recall.errors import UserError
from guess_or_recall.files import (
    publish,
    read_json,
    read_table,
    scratch,
    token_matrix,
    write_json,
)
from guess_or_recall.model.load import device, load_model
from guess_or_recall.params import Attention, read_params

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


def main() -> None:
    """Extract the attention of the pool and the gallery."""
    params = read_params().attention
    sequence_ids, tokens, gallery = read_pool()
    provenance = read_provenance(params, sequence_ids, tokens, gallery)
    model = load_model(DATA / "model")
    with scratch("attention", provenance) as folder:
        shards, pictures = folder / "attention", folder / "gallery"
        sizes = {"batch": params.batch, "shard": params.shard}
        extract(model, sequence_ids, tokens, shards, **sizes, provenance=provenance)
        marked = sequence_ids[gallery], tokens[gallery]
        extract_gallery(model, *marked, pictures / "gallery.h5", provenance)
        publish(pictures, DATA / "gallery")
        publish(shards, DATA / "attention")
    write_json(Path("metrics/attention.json"), measure())


def read_pool() -> tuple[
    Int64[np.ndarray, " n"], Int32[np.ndarray, "n length"], Bool[np.ndarray, " n"]
]:
    """Ids, tokens as they are studied, and gallery marks of the pool.

    Raises:
        UserError: a table is missing or has other columns, or the pool is not of these sequences.
    """
    sequences = read_table(DATA / "sequences/sequences.parquet", SEQUENCES)
    score = read_table(DATA / "score/score.parquet", SCORE)
    pool = read_table(DATA / "pool/pool.parquet", POOL)
    known, ids = (np.asarray(table["sequence_id"]) for table in (sequences, pool))
    if not np.array_equal(known, np.asarray(score["sequence_id"])):
        raise UserError("score.parquet and sequences.parquet differ in sequences: `dvc repro`")
    if not np.isin(ids, known).all():
        raise UserError("pool.parquet has ids that sequences.parquet lacks: `dvc repro`")
    rows = np.searchsorted(known, ids)
    tokens = studied_tokens(
        token_matrix(sequences["tokens"])[rows],
        token_matrix(score["continuation"])[rows],
        np.asarray(score["memorization_score"])[rows],
    )
    return ids, tokens, np.asarray(pool["gallery"])


def read_provenance(params: Attention, *inputs: np.ndarray) -> dict[str, str | int]:
    """Everything that the attention depends on, as attributes of every file."""
    model = read_json(DATA / "model/model.json")
    return {
        "model": model["path"],
        "weights": model["weights"],
        "inputs": hashlib.sha256(b"".join(array.tobytes() for array in inputs)).hexdigest(),
        "batch": params.batch,
        "shard": params.shard,
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


if __name__ == "__main__":
    main()
