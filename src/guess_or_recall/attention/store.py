"""HDF5 files of attention patterns: shards of pooled ones under one view, a gallery of all heads.

A folder holds `shard-00000.h5` ... , with datasets sequence_id int64 [n], mean and max float16
[n, layers, packed], the virtual view `view.h5` over them for other programs, and
`provenance.json`. Every file says in its attributes what it was made from; every block of patterns
has a checksum (fletcher32), so that damaged values are never read. A subset (see `subset`) is read
in the place of a folder, and of a gallery.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
from jaxtyping import Float16, Int, Int32, Int64, Shaped

from guess_or_recall.errors import UserError
from guess_or_recall.io.files import atomic, read_json, write_json

POOLINGS = ("mean", "max")
GALLERY = ("sequence_id", "attention", "tokens")
WAY_OUT = (
    "`dvc checkout --force` restores it (or `dvc pull`, where the remotes are set up), "
    "`dvc repro attention` makes it again"
)
MAKE_SUBSET = "`python src/run.py subset` makes it, where data/attention is"


def key_of(provenance: dict) -> str:
    """SHA-256 of a provenance; the same one whatever the order of its entries."""
    return hashlib.sha256(json.dumps(provenance, sort_keys=True).encode()).hexdigest()


def shard_path(folder: Path, index: int) -> Path:
    """Path of a shard of a folder."""
    return folder / f"shard-{index:05d}.h5"


@contextmanager
def opened(path: Path, way_out: str = WAY_OUT) -> Iterator[h5py.File]:
    """Open an HDF5 file to read it; what HDF5 cannot read in the block is a UserError."""
    if not path.exists():
        raise UserError(f"{path} is missing: {way_out}")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, KeyError, RuntimeError) as error:
        cause = str(error.args[0]) if error.args else type(error).__name__
        raise UserError(f"{path} is truncated or corrupt ({cause}): {way_out}") from None


def dataset(file: h5py.File, name: str) -> h5py.Dataset:
    """A dataset of an open file; KeyError where the name is of none."""
    found = file[name]
    if not isinstance(found, h5py.Dataset):
        raise KeyError(f"'{name}' is not a dataset")
    return found


@contextmanager
def created(path: Path, provenance: dict) -> Iterator[h5py.File]:
    """Write an HDF5 file, atomically, with its provenance and the key of it as attributes."""
    try:
        with atomic(path) as temporary, h5py.File(temporary, "w", libver=("v110", "v110")) as file:
            for name, value in sorted({**provenance, "key": key_of(provenance)}.items()):
                file.attrs[name] = fixed(value)
            yield file
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error}): free some disk space, or choose another place"
        ) from None


def fixed(value: object) -> object:
    """A text as bytes of a fixed length, another value as it is.

    Texts of variable length would lie in a heap without a checksum, where one flipped bit can make
    HDF5 loop for ever.
    """
    return np.bytes_(value.encode()) if isinstance(value, str) else value


def write_shard(
    path: Path,
    sequence_ids: Int64[np.ndarray, " n"],
    pooled: Float16[np.ndarray, "pooling=2 n layers packed"],
    provenance: dict,
) -> None:
    """Write one shard; the same bytes for the same values. `pooled` is the mean, then the max."""
    with created(path, provenance) as file:
        file.create_dataset("sequence_id", data=sequence_ids, chunks=True, fletcher32=True)
        for pooling, values in zip(POOLINGS, pooled, strict=True):
            chunks = (
                1,
                *values.shape[1:],
            )  # one sequence: any sample is read without its neighbours
            file.create_dataset(pooling, data=values, chunks=chunks, fletcher32=True)


def check_key(path: Path, file: h5py.File, key: str) -> None:
    """Raise UserError where an open file was made from something else than `key` says."""
    if file.attrs["key"] != key.encode():
        raise UserError(f"{path} was made with other parameters or another model: {WAY_OUT}")


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
    with created(folder / "view.h5", provenance) as view:
        for name in ("sequence_id", *POOLINGS):
            write_virtual(view, name, files)
        sequences, layers, packed = dataset(view, "mean").shape
    shape = {"shards": shards, "sequences": sequences, "layers": layers, "packed": packed}
    write_json(folder / "provenance.json", {**provenance, **shape, "key": key_of(provenance)})


def write_virtual(view: h5py.File, name: str, files: list[Path]) -> None:
    """Concatenate the same dataset of all shards under its name; shards are named relatively.

    In HDF5's own calls, since h5py's virtual datasets bear the time of their creation.
    """
    shapes, dtypes = zip(*(shape_of(path, name) for path in files), strict=True)
    dtype, ends = dtypes[0], np.cumsum([shape[0] for shape in shapes]).tolist()
    whole = h5py.h5s.create_simple((ends[-1], *shapes[0][1:]))
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_obj_track_times(False)
    plan.set_fill_value(np.array([-1 if dtype.kind == "i" else np.nan], dtype))
    for path, shape, end in zip(files, shapes, ends, strict=True):
        whole.select_hyperslab((end - shape[0], *[0] * (len(shape) - 1)), shape)
        plan.set_virtual(whole, path.name.encode(), name.encode(), h5py.h5s.create_simple(shape))
    whole.select_all()
    h5py.h5d.create(view.id, name.encode(), h5py.h5t.py_create(dtype), whole, dcpl=plan)


def shape_of(path: Path, name: str) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of a dataset of a shard."""
    with opened(path) as file:
        found = dataset(file, name)
        return found.shape, found.dtype


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


def read_file(
    path: Path, sequence_ids: Int[np.ndarray, " n"], pooling: str
) -> Float16[np.ndarray, "n layers packed"]:
    """Read pooled attention patterns of a subset; see `read_pooled`."""
    extend = "`python src/run.py subset --ids` takes them too, where data/attention is"
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
    provenance = read_json(folder / "provenance.json")
    paths = [shard_path(folder, index) for index in range(provenance["shards"])]
    stored = [stored_ids(path, provenance["key"]) for path in paths]
    extend = "extend `pool` in params.yaml, then `dvc repro`"
    rows = find_rows(folder, np.concatenate(stored), sequence_ids, extend)
    pooled = np.empty((len(rows), provenance["layers"], provenance["packed"]), np.float16)
    ends = np.cumsum([len(ids) for ids in stored])
    shard = np.searchsorted(ends, rows, side="right")
    for index in np.unique(shard):
        wanted = np.flatnonzero(shard == index)
        first = ends[index] - len(stored[index])
        with opened(paths[index]) as file:
            read_rows(dataset(file, pooling), rows[wanted] - first, pooled, wanted)
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


def write_gallery(
    path: Path,
    sequence_ids: Int64[np.ndarray, " g"],
    attention: Float16[np.ndarray, "g layers heads length length"],
    tokens: Int32[np.ndarray, "g length"],
    provenance: dict,
) -> None:
    """Write the attention patterns [query, key] of every head of a few sequences, compressed."""
    with created(path, provenance) as file:
        for name, values in zip(GALLERY, (sequence_ids, attention, tokens), strict=True):
            write_compressed(file, name, values)


def write_compressed(file: h5py.File, name: str, values: Shaped[np.ndarray, "n *rest"]) -> None:
    """Add a dataset, compressed, one sequence a chunk."""
    options = {"compression": "gzip", "shuffle": True, "fletcher32": True}
    file.create_dataset(name, data=values, chunks=(1, *values.shape[1:]), **options)


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
