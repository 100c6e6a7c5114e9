"""Pooled attention patterns of any sequences, from a folder of shards or from a subset."""

import json
from pathlib import Path

import h5py
import numpy as np
from jaxtyping import Float16, Int, Int64

from guess_or_recall.attention.hdf5 import MAKE_SUBSET, check_key, dataset, opened
from guess_or_recall.attention.store import POOLINGS, shard_path
from guess_or_recall.errors import UserError
from guess_or_recall.io.files import read_json
from guess_or_recall.io.paths import PROVENANCE


def read_pooled(
    store: Path, sequence_ids: Int[np.ndarray, " n"], pooling: str
) -> Float16[np.ndarray, "n layers packed"]:
    """Read pooled attention patterns in the order asked for; an id may be asked for twice.

    Rows are read in the order of the files, neighbours at once, straight into the result.

    Args:
        store: a folder of shards, or the file of a subset.
        sequence_ids: of the sequences asked for.
        pooling: mean or max, over heads.

    Raises:
        UserError: an id is not in the store, or a shard is missing, damaged or of another origin.
    """
    if pooling not in POOLINGS:
        raise UserError(f"pooling '{pooling}' is unknown: choose one of {', '.join(POOLINGS)}")
    return (read_file if store.is_file() else read_shards)(store, sequence_ids, pooling)


def layers_of(store: Path) -> list[int]:
    """The model's own numbers of the layers that are stored; those without attention are not.

    Args:
        store: a folder of shards, the file of a subset, or a gallery.
    """
    if store.is_dir():
        provenance = read_json(store / PROVENANCE.name)
        return provenance.get("attention_layers") or list(range(provenance["layers"]))
    with opened(store) as file:
        if "provenance" in file.attrs:  # of a subset
            said = json.loads(np.asarray(file.attrs["provenance"]).tobytes())
            numbers = said.get("attention_layers", [])
        else:
            numbers = np.asarray(file.attrs.get("attention_layers", [])).tolist()
        name = "attention" if "attention" in file else "mean"
        return numbers or list(range(dataset(file, name).shape[1]))


def read_file(
    path: Path, sequence_ids: Int[np.ndarray, " n"], pooling: str
) -> Float16[np.ndarray, "n layers packed"]:
    """Read pooled attention patterns of a subset; see `read_pooled`."""
    extend = "`gor subset --id` takes them too, where data/attention is"
    with opened(path, MAKE_SUBSET) as file:
        stored, values = dataset(file, "sequence_id")[:], dataset(file, pooling)
        rows = find_rows(path, stored, sequence_ids, extend)
        pooled = np.empty((len(rows), *values.shape[1:]), np.float16)
        read_rows(values, rows, pooled, np.arange(len(rows)))
    return pooled


def read_shards(
    folder: Path, sequence_ids: Int[np.ndarray, " n"], pooling: str
) -> Float16[np.ndarray, "n layers packed"]:
    """Read pooled attention patterns of a folder; see `read_pooled`."""
    provenance = read_json(folder / PROVENANCE.name, "shards", "key", "layers", "packed")
    paths = [shard_path(folder, index) for index in range(provenance["shards"])]
    stored = [stored_ids(path, provenance["key"]) for path in paths]
    extend = "extend `pool` in params.yaml, then `dvc repro`"
    rows = find_rows(folder, np.concatenate(stored), sequence_ids, extend)
    pooled = np.empty((len(rows), provenance["layers"], provenance["packed"]), np.float16)
    ends = np.cumsum([len(ids) for ids in stored])
    shard = np.searchsorted(ends, rows, side="right")
    for index in np.unique(shard):
        places = np.flatnonzero(shard == index)
        first = ends[index] - len(stored[index])
        with opened(paths[index]) as file:
            read_rows(dataset(file, pooling), rows[places] - first, pooled, places)
    return pooled


def stored_ids(path: Path, key: str) -> Int64[np.ndarray, " n"]:
    """Sequences of a shard, which must have the provenance `key`."""
    with opened(path) as file:
        check_key(path, file, key)
        return dataset(file, "sequence_id")[:]


def find_rows(
    store: Path, stored: Int64[np.ndarray, " stored"], asked: Int[np.ndarray, " n"], way_out: str
) -> Int64[np.ndarray, " n"]:
    """Row of every id asked for among the stored ones; UserError where one is not stored."""
    order = np.argsort(stored, kind="stable")
    place = np.searchsorted(stored, asked, sorter=order)
    rows = order[np.minimum(place, len(stored) - 1)]
    absent = np.flatnonzero(stored[rows] != asked)
    if len(absent):
        raise UserError(
            f"{store} lacks {len(absent)} of {len(asked)} sequences, the first of them "
            f"{asked[absent[0]]}: {way_out}"
        )
    return rows


def read_rows(
    source: h5py.Dataset,
    rows: Int64[np.ndarray, " k"],
    out: Float16[np.ndarray, "n layers packed"],
    places: Int64[np.ndarray, " k"],
) -> None:
    """Fill `out[places]` with rows of a dataset, one read for every run of consecutive rows."""
    order = np.argsort(rows, kind="stable")
    rows, places = rows[order], places[order]
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    for run, where in zip(np.split(rows, breaks), np.split(places, breaks), strict=True):
        if len(run):
            out[where] = source[run[0] : run[-1] + 1]
