"""Parquet tables: written atomically, read column by checked column."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Int, Shaped

from guess_or_recall.errors import UserError, first_line
from guess_or_recall.io.checksums import damaged
from guess_or_recall.io.files import atomic, existing


def write_table(path: Path, table: pa.Table) -> None:
    """Write a parquet table, atomically and with the same bytes for the same table."""
    with atomic(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def write_parts(path: Path, parts: Iterable[pa.Table]) -> None:
    """Write tables of one schema, at least one, after each other into a parquet file, atomically.

    Only one of them is in memory at a time; one alone gives the bytes of `write_table`.
    """
    parts = iter(parts)
    first = next(parts)
    with (
        atomic(path) as temporary,
        pq.ParquetWriter(temporary, first.schema, compression="zstd") as writer,
    ):
        for part in chain([first], parts):
            writer.write_table(part)


def read_table(path: Path, schema: pa.Schema) -> pa.Table:
    """Read the columns of `schema` from a parquet file; UserError on other columns or types."""
    with reading(path):
        check_columns(path, schema)
        return pq.read_table(path, columns=schema.names)


def read_whole(path: Path) -> pa.Table:
    """Read all columns of a parquet file; UserError where it is missing or damaged."""
    with reading(path):
        return pq.read_table(path)


def read_parts(path: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    """Read the columns of `schema`, one row group at a time; UserError as `read_table`."""
    with reading(path), pq.ParquetFile(path) as file:
        check_columns(path, schema)
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, columns=schema.names)


def read_rows(path: Path, schema: pa.Schema, ids: Int[np.ndarray, " n"]) -> pa.Table:
    """Read the rows with these `sequence_id`s (a column of `schema`), in the order of the file.

    Memory is that of one row group and of the rows found; UserError as `read_table`.
    """
    parts = read_parts(path, schema)
    groups = [part.filter(np.isin(part["sequence_id"].to_numpy(), ids)) for part in parts]
    return pa.concat_tables(groups) if groups else schema.empty_table()


def read_schema(path: Path) -> pa.Schema:
    """Read the columns of a parquet file; UserError where it is missing or damaged."""
    with reading(path):
        return pq.read_schema(path)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Check a file's bytes, then say which file is damaged where Arrow cannot read it in the block.

    What the system says of it (of rights, of a disk) is no damage, and is passed on.
    """
    existing(path)
    try:
        yield
    except (pa.ArrowException, OSError) as error:  # Arrow has OSErrors of its own, without a number
        if isinstance(error, OSError) and error.errno:
            raise
        raise damaged(path, first_line(error)) from None


def read_csv(path: Path, columns: Sequence[str], **options: Any) -> pd.DataFrame:
    """Read a CSV table by pandas; UserError where it is missing, damaged, or lacks a column."""
    try:
        table = pd.read_csv(existing(path), **options)
    except ValueError as error:  # no text, no columns, or rows of different lengths
        raise damaged(path, first_line(error)) from None
    for name in columns:
        require_column(path, name, [*table])
    return table


def check_columns(path: Path, schema: pa.Schema) -> None:
    """Raise UserError where a parquet file lacks a column of `schema`, or has another type."""
    stored = pq.read_schema(path)
    for field in schema:
        require_column(path, field.name, stored.names)
        kind = stored.field(field.name).type
        if kind != field.type:
            raise UserError(f"{path}: column '{field.name}' is {kind}, not {field.type}")


def require_column(path: Path, name: str, stored: Collection[str]) -> None:
    """Raise UserError where a column is not among the stored ones."""
    if name not in stored:
        raise UserError(f"{path}: no column '{name}' (it has {', '.join(stored)})")


def token_column(tokens: Int[np.ndarray, "n length"]) -> pa.FixedSizeListArray:
    """Make a fixed-size-list column of int32 token ids."""
    return pa.FixedSizeListArray.from_arrays(
        pa.array(tokens.ravel(), pa.int32()), list_size=tokens.shape[1]
    )


def token_matrix(column: pa.ChunkedArray) -> Shaped[np.ndarray, "n length"]:
    """Read a fixed-size-list column back as a matrix of the column's type, int32 for tokens."""
    flat = np.concatenate([chunk.flatten().to_numpy() for chunk in column.chunks])
    return flat.reshape(len(column), column.type.list_size)
