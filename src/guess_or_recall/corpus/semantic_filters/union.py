"""The union of the data set's files, each sequence_id once, in parts that fit the memory.

Millions of rows are read in batches and sorted in parts on the disk, so that memory does not grow
with them.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Int
from tqdm import tqdm

from guess_or_recall.corpus.semantic_filters.data_set import DataFile
from guess_or_recall.corpus.semantic_filters.files import undamaged
from guess_or_recall.corpus.semantic_filters.rows import SCHEMA, batches
from guess_or_recall.errors import UserError

PART = 262144  # sorted at once: some 200 MB


def first_of_ids(files: list[DataFile]) -> Int[np.ndarray, " rows"]:
    """Rank by sequence_id of every row of all files; -1 where an earlier row has the same id.

    Raises:
        UserError: a sequence_id is null.
    """
    parts = []
    for file in files:
        with undamaged(file.path):
            parts.append(pq.read_table(file.path, columns=["sequence_id"])[0])
        if parts[-1].null_count:
            raise UserError(f"{file.path}: 'sequence_id' is null {parts[-1].null_count} times")
    ids = np.concatenate([part.to_numpy() for part in parts])
    first = np.unique(ids, return_index=True)[1]
    ranks = np.full(len(ids), -1, np.int64)
    ranks[first] = np.arange(len(first))
    return ranks


def sorted_union(
    files: list[DataFile], ranks: Int[np.ndarray, " rows"], folder: Path
) -> Iterator[pa.Table]:
    """The sequences with a rank, by ascending sequence_id, in tables of `PART` rows.

    Args:
        files: of `find_files`.
        ranks: of `first_of_ids`.
        folder: for sorted parts; each is removed once it is read.

    Raises:
        UserError: a value is null, a sequence has another length, a memory is not memorized.
    """
    paths = [folder / f"{start}.arrow" for start in range(0, int(ranks.max()) + 1, PART)]
    deal(files, ranks, paths)
    for path in paths:
        with pa.OSFile(str(path)) as stream:
            table = pa.ipc.open_stream(stream).read_all()
        path.unlink()
        yield table.sort_by("sequence_id").combine_chunks()


def deal(files: list[DataFile], ranks: Int[np.ndarray, " rows"], paths: list[Path]) -> None:
    """Write every row with a rank to the file of its part."""
    writers = [pa.ipc.new_stream(str(path), SCHEMA) for path in paths]
    total = sum(file.rows for file in files)
    with tqdm(total=total, desc="semantic-filters", unit=" rows") as progress:
        for file in files:
            start = file.start
            for batch in batches(file):
                parts = ranks[start : start + len(batch)] // PART  # -1 of a row that is dropped
                for part, writer in enumerate(writers):
                    writer.write_table(batch.take(np.flatnonzero(parts == part)))
                start += len(batch)
                progress.update(len(batch))
    for writer in writers:
        writer.close()
