"""Rows of the data set, checked, as sequences of this project."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from guess_or_recall.corpus.semantic_filters.data_set import (
    COLUMNS,
    LARGEST,
    LENGTH,
    MAY_BE_NULL,
    PREFIX,
    PUBLISHED,
    DataFile,
)
from guess_or_recall.corpus.semantic_filters.files import undamaged
from guess_or_recall.errors import UserError
from guess_or_recall.io import schemas

ROWS = 16384  # read at once
UNKNOWN = ("planted", "planted_copies", "document", "document_id", "document_start")
SCHEMA = schemas.published_sequences(LENGTH)


def batches(file: DataFile) -> Iterator[pa.Table]:
    """The rows of a file as sequences of this project."""
    with undamaged(file.path), pq.ParquetFile(file.path) as opened:
        for batch in opened.iter_batches(batch_size=ROWS, columns=list(COLUMNS)):
            yield sequences_of(pa.Table.from_batches([batch]), file)


def sequences_of(table: pa.Table, file: DataFile) -> pa.Table:
    """Rows of the data set in the columns of `sequences.parquet`, published values beside them."""
    require_values(table, file)
    columns = {name: table[name] for name in ("sequence_id", "text", "sequence_duplicates")}
    columns["tokens"] = token_lists(table, file)
    columns |= {f"{PREFIX}{name}": table[name] for name in PUBLISHED}
    for name in UNKNOWN:
        columns[name] = pa.nulls(len(table), SCHEMA.field(name).type)
    return pa.table(columns, schema=SCHEMA)


def require_values(table: pa.Table, file: DataFile) -> None:
    """Raise UserError where a value is null, or a score is not one of its split."""
    for name in [name for name in COLUMNS if name not in MAY_BE_NULL]:
        if table[name].null_count:
            row = pc.index(table[name].is_null(), True).as_py()
            raise UserError(f"{file.path}: '{name}' of {row_name(table, row)} is null")
    scores = table["memorization_score"].to_numpy()
    low = 1.0 if file.split == "memories" else 0.0
    wrong = np.flatnonzero(~((scores >= low) & (scores <= 1)))
    if len(wrong):
        row = int(wrong[0])
        allowed = "1 (all memories are memorized)" if low else "from 0 to 1"
        raise UserError(
            f"{file.path}: 'memorization_score' of {row_name(table, row)} is "
            f"{scores[row]}, not {allowed}"
        )


def token_lists(table: pa.Table, file: DataFile) -> pa.FixedSizeListArray:
    """Tokens as lists of int32, as many as a sequence has.

    Raises:
        UserError: a sequence has another number of tokens, or a token that is no token id.
    """
    lists = table["tokens"].combine_chunks()
    lengths = pc.call_function("list_value_length", [lists]).to_numpy(zero_copy_only=False)
    wrong = np.flatnonzero(lengths != LENGTH)
    if len(wrong):
        row = int(wrong[0])
        raise UserError(
            f"{file.path}: {row_name(table, row)} has {lengths[row]} tokens, not {LENGTH}"
        )
    ids = lists.flatten()
    numbers = ids.to_numpy(zero_copy_only=False)
    wrong = np.flatnonzero(~((numbers >= 0) & (numbers <= LARGEST)))  # a null is not a number
    if len(wrong):
        row = int(wrong[0])
        raise UserError(
            f"{file.path}: {row_name(table, row // LENGTH)} has the token "
            f"{ids[row].as_py()}, not an id from 0 to {LARGEST}"
        )
    return pa.FixedSizeListArray.from_arrays(ids.cast(pa.int32()), LENGTH)


def row_name(table: pa.Table, row: int) -> str:
    """A row by its id, for an error."""
    return f"sequence_id {table['sequence_id'][row].as_py()}"
