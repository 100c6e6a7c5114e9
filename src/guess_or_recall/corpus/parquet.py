"""Rows of a user's parquet file: a column of texts, and a column of names if there is one."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from guess_or_recall.errors import UserError, first_line

AT_ONCE = 1 << 23  # bytes of a batch of rows


def parquet_rows(path: Path, text: str, name: str) -> Iterator[tuple[str | None, object]]:
    """Every row's text, and its value in the column `name` (None where there is no such column).

    Raises:
        UserError: the file is damaged anywhere, or has no column of texts of that name.
    """
    try:
        with (
            open(path, "rb") as stream,  # pyarrow opens no name that is not UTF-8
            pq.ParquetFile(stream, page_checksum_verification=True) as file,
        ):
            require_texts(path, file.schema_arrow, text)
            yield from rows_of(file, text, name if name in file.schema_arrow.names else text)
    except UserError:
        raise
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise UserError(
            f"{path}: no parquet file, or a damaged one ({first_line(error)}): copy it again, or "
            "take it out of the corpus"
        ) from None


def rows_of(file: pq.ParquetFile, text: str, name: str) -> Iterator[tuple[str | None, object]]:
    """The rows of an open file in batches of few bytes; ValueError where some are missing."""
    metadata, seen = file.metadata, 0
    size = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    at_once = max(1, min(1024, AT_ONCE * metadata.num_rows // max(size, 1)))
    for batch in file.iter_batches(batch_size=at_once, columns=list({text, name})):
        texts = batch.column(text).to_pylist()
        names = batch.column(name).to_pylist() if name != text else [None] * len(texts)
        yield from zip(texts, names, strict=True)
        seen += len(texts)
    if seen != metadata.num_rows:
        raise ValueError(f"{seen} of {metadata.num_rows} rows can be read")


def require_texts(path: Path, schema: pa.Schema, text: str) -> None:
    """Raise UserError where no column of that name holds texts."""
    if schema.names.count(text) != 1:
        count = "no" if text not in schema.names else "more than one"
        raise UserError(
            f"{path}: {count} column '{text}' (sequences.files.text); it has "
            f"{', '.join(schema.names)}"
        )
    kind = schema.field(text).type
    if not holds_texts(kind):
        raise UserError(f"{path}: column '{text}' is {kind}, not string")


def holds_texts(kind: pa.DataType) -> bool:
    """Whether a type is text in any of its layouts, or of nulls alone."""
    if pa.types.is_dictionary(kind):
        return holds_texts(kind.value_type)
    layouts = pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view
    return pa.types.is_null(kind) or any(is_layout(kind) for is_layout in layouts)
