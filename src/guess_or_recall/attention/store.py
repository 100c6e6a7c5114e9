"""Shards of pooled attention patterns, under one view.

A folder holds `shard-00000.h5` ... , with datasets sequence_id int64 [n], mean and max float16
[n, layers, packed], the virtual view `view.h5` over them for other programs, and
`provenance.json`. `reading.read_pooled` reads them.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import h5py
import numpy as np
from jaxtyping import Float16, Int64

from guess_or_recall.attention.hdf5 import WAY_OUT, check_key, created, dataset, key_of, opened
from guess_or_recall.errors import UserError
from guess_or_recall.io.files import write_json
from guess_or_recall.io.paths import PROVENANCE, VIEW

POOLINGS = ("mean", "max")
TOLERANCE = 0.01  # of a row's sum; rounding a row to bfloat16 may move it by 0.004
NOTES = {  # attributes of a shard, and what a store says where its shards differ
    "computed_wider": sum,  # sequences whose attention is not sound in the model's own type
    "least_row_sum": min,  # of a stored pattern; below 1 where sinks or a BOS token take a share
}


def shard_path(folder: Path, index: int) -> Path:
    """Path of a shard of a folder."""
    return folder / f"shard-{index:05d}.h5"


def write_shard(
    path: Path,
    sequence_ids: Int64[np.ndarray, " n"],
    pooled: Float16[np.ndarray, "pooling=2 n layers packed"],
    provenance: dict,
    notes: Mapping[str, int | float] = MappingProxyType({}),
) -> None:
    """Write one shard; the same bytes for the same values. `pooled` is the mean, then the max."""
    with created(path, provenance) as file:
        for name, value in notes.items():
            file.attrs[name] = value
        file.create_dataset("sequence_id", data=sequence_ids, chunks=True, fletcher32=True)
        for pooling, values in zip(POOLINGS, pooled, strict=True):
            chunks = (1, *values.shape[1:])  # any sequence is read without its neighbours
            file.create_dataset(pooling, data=values, chunks=chunks, fletcher32=True)


def check_shard(path: Path, key: str, sequence_ids: Int64[np.ndarray, " n"]) -> None:
    """Read the whole of a shard and its checksums.

    Raises:
        UserError: it is missing, truncated or corrupt, of another provenance than `key`, or of
            other sequences; the line names the file.
    """
    with opened(path) as file:
        check_key(path, file, key)
        if not np.array_equal(dataset(file, "sequence_id")[:], sequence_ids):
            raise UserError(f"{path} holds other sequences than expected: {WAY_OUT}")
        for values in (dataset(file, pooling) for pooling in POOLINGS):
            for row in range(0, len(sequence_ids), 64):
                values[row : row + 64]  # reading is what checks


def write_view(folder: Path, shards: int, provenance: dict) -> None:
    """Write view.h5, virtual datasets over the shards of a folder, and provenance.json.

    A cell of the view whose shard is missing reads as NaN (id -1), not as an attention of zero.
    """
    files = [shard_path(folder, index) for index in range(shards)]
    with created(folder / VIEW.name, provenance) as view:
        for name in ("sequence_id", *POOLINGS):
            write_virtual(view, name, files)
        sequences, layers, packed = dataset(view, "mean").shape
    shape = {"shards": shards, "sequences": sequences, "layers": layers, "packed": packed}
    said = {**provenance, **shape, **notes_of(files), "key": key_of(provenance)}
    write_json(folder / PROVENANCE.name, said)


def notes_of(files: list[Path]) -> dict[str, int | float]:
    """What the shards say of their sequences, over all of them."""
    values: dict[str, list] = {name: [] for name in NOTES}
    for path in files:
        with opened(path) as file:
            for name in NOTES.keys() & file.attrs.keys():
                values[name].append(np.asarray(file.attrs[name]).item())
    return {name: NOTES[name](noted) for name, noted in values.items() if noted}


def write_virtual(view: h5py.File, name: str, files: list[Path]) -> None:
    """Concatenate the same dataset of all shards under its name; shards are named relatively.

    In HDF5's own calls, since h5py's virtual datasets bear the time of their creation.
    """
    shapes, dtypes = zip(*(shape_of(path, name) for path in files), strict=True)
    dtype, ends = dtypes[0], np.cumsum([shape[0] for shape in shapes]).tolist()
    whole = h5py.h5s.create_simple((ends[-1], *shapes[0][1:]))
    layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    layout.set_obj_track_times(False)
    layout.set_fill_value(np.array([-1 if dtype.kind == "i" else np.nan], dtype))
    for path, shape, end in zip(files, shapes, ends, strict=True):
        whole.select_hyperslab((end - shape[0], *[0] * (len(shape) - 1)), shape)
        layout.set_virtual(whole, path.name.encode(), name.encode(), h5py.h5s.create_simple(shape))
    whole.select_all()
    h5py.h5d.create(view.id, name.encode(), h5py.h5t.py_create(dtype), whole, dcpl=layout)


def shape_of(path: Path, name: str) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of a dataset of a shard."""
    with opened(path) as file:
        values = dataset(file, name)
        return values.shape, values.dtype
