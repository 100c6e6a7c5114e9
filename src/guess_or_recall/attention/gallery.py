"""The gallery: a file of the attention patterns of every head, for a few sequences."""

from pathlib import Path

import numpy as np
from jaxtyping import Float16, Int32, Int64

from guess_or_recall.attention.hdf5 import (
    MAKE_SUBSET,
    WAY_OUT,
    created,
    dataset,
    opened,
    write_compressed,
)

DATASETS = ("sequence_id", "attention", "tokens")


def write_gallery(
    path: Path,
    sequence_ids: Int64[np.ndarray, " g"],
    attention: Float16[np.ndarray, "g layers heads length length"],
    tokens: Int32[np.ndarray, "g length"],
    provenance: dict,
) -> None:
    """Write the attention patterns [query, key] of every head of a few sequences, compressed."""
    with created(path, provenance) as file:
        for name, values in zip(DATASETS, (sequence_ids, attention, tokens), strict=True):
            write_compressed(file, name, values)


def read_gallery(
    path: Path,
) -> tuple[
    Int64[np.ndarray, " g"],
    Float16[np.ndarray, "g layers heads length length"],
    Int32[np.ndarray, "g length"],
]:
    """Read the sequence ids, the attention patterns [query, key] and the tokens of a gallery.

    Of a subset, the mean over heads is the one head.
    """
    with opened(path, f"{WAY_OUT}; a subset: {MAKE_SUBSET}") as file:
        sequence_ids, tokens = dataset(file, "sequence_id")[:], dataset(file, "tokens")[:]
        if "attention" in file:
            return sequence_ids, dataset(file, "attention")[:], tokens
        return sequence_ids, one_head(dataset(file, "mean")[:], tokens.shape[1]), tokens


def one_head(
    packed: Float16[np.ndarray, "g layers packed"], length: int
) -> Float16[np.ndarray, "g layers heads=1 length length"]:
    """Packed patterns (see `triangle`) as squares, zero above the diagonal."""
    patterns = np.zeros((*packed.shape[:2], 1, length, length), np.float16)
    query, key = np.tril_indices(length)
    patterns[..., query, key] = packed[:, :, None]
    return patterns
