"""The data set `usvsnsp/semantic-filters`: sequences of the Pile and what Pythia made of them.

For each model it has a split `pile_deduped_MODEL` (random sequences) and a split
`memories_deduped_MODEL` (all memorized ones), which overlap. Source: "Recite, Reconstruct,
Recollect" (Prashanth et al. 2024). Millions of rows are read in batches and sorted in parts on the
disk, so that memory does not grow with them.
"""

import errno
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from huggingface_hub import snapshot_download
from jaxtyping import Int
from tqdm import tqdm

from guess_or_recall.corpus.windows import LENGTH
from guess_or_recall.errors import UserError, first_line

REPOSITORY = "usvsnsp/semantic-filters"
KEY = "sequences.semantic_filters"
PILE = 5_000_000  # rows of each pile split
MEMORIES = {  # rows of the memories splits
    "70m": 411_448,
    "160m": 581_200,
    "410m": 811_040,
    "1b": 1_032_872,
    "1.4b": 1_048_104,
    "2.8b": 1_355_216,
    "6.9b": 1_680_296,
    "12b": 1_871_216,
}
SPLITS = ("pile", "memories")  # in this order the first of equal sequence_ids is kept
ROWS = 16384  # read at once
PART = 262144  # sorted at once: some 200 MB
LARGEST = 2**31 - 1  # token id
ROW_BYTES = 1500  # of a row, as sorted part and in the result: tokens twice, text twice
COLUMNS = {
    "sequence_id": pa.int64(),
    "text": pa.string(),
    "tokens": pa.list_(pa.int64()),
    "sequence_duplicates": pa.int64(),
    "is_incrementing": pa.bool_(),
    "is_repeating": pa.bool_(),
    "memorization_score": pa.float64(),
    "huffman_coding_length": pa.float64(),
    "prompt_perplexity": pa.float32(),
    "generation_perplexity": pa.float32(),
    "sequence_perplexity": pa.float32(),
}
NEVER_NULL = list(COLUMNS)[:7]
PUBLISHED = {name: COLUMNS[name] for name in list(COLUMNS)[4:]}  # what other stages may take over
SCHEMA = pa.schema(
    {
        "sequence_id": pa.int64(),
        "tokens": pa.list_(pa.int32(), LENGTH),
        "text": pa.string(),
        "sequence_duplicates": pa.int64(),
        "planted": pa.string(),
        "planted_copies": pa.int64(),
        "document": pa.string(),
    }
    | {f"published_{name}": kind for name, kind in PUBLISHED.items()}
)


class Source(NamedTuple):
    """A parquet file of the data set, and the place of its first row among those of all files."""

    path: Path
    split: str
    rows: int
    start: int


def find_folder(path: str | None, revision: str, model: str) -> tuple[Path, dict]:
    """The folder with the parquet files, fetched from the hub where `path` is None.

    Returns:
        The folder, and its provenance: the path, or the repository and its commit.

    Raises:
        UserError: the folder does not exist, or the hub does not give the files.
    """
    if path is not None:
        if not Path(path).is_dir():
            raise UserError(f"{KEY}.path: no folder '{path}': {way_out(model)}")
        return Path(path), {"path": path}
    try:
        found = snapshot_download(
            REPOSITORY, repo_type="dataset", revision=revision, allow_patterns=patterns(model)
        )
    except Exception as error:  # those of the network have no common type
        if getattr(error, "errno", None) == errno.ENOSPC:
            raise
        raise UserError(
            f"{REPOSITORY} at revision '{revision}' cannot be fetched from the Hugging Face hub "
            f"({type(error).__name__}: {first_line(error)}): {way_out(model)}"
        ) from None
    return Path(found), {"repository": REPOSITORY, "commit": Path(found).name}


def patterns(model: str) -> list[str]:
    """What the hub is asked for: the files of both splits, in any folder."""
    return [f"*{split}_deduped_{model}{end}" for split in SPLITS for end in ("[-.]*", "/*")]


def way_out(model: str) -> str:
    """How to come by the files."""
    return (
        f"fetch its pile_deduped_{model} and memories_deduped_{model} "
        f"(hf download {REPOSITORY} --repo-type dataset --include '*_deduped_{model}[-.]*' "
        f"--local-dir FOLDER) and set {KEY}.path to that folder"
    )


def find_files(folder: Path, model: str) -> list[Source]:
    """The checked files of both splits, the pile's first, each split in the order of names.

    Raises:
        UserError: a split has no file, a file is damaged or has other columns, or all are empty.
    """
    sources, start = [], 0
    for split in SPLITS:
        name = f"{split}_deduped_{model}"
        paths = sorted(path for path in folder.rglob("*.parquet") if belongs(path, name))
        if not paths:
            raise UserError(
                f"'{folder}' has no {name}-*.parquet, {name}.parquet or {name}/*.parquet: "
                f"{way_out(model)}, or choose another {KEY}.model"
            )
        for path in paths:
            sources.append(Source(path, split, checked_rows(path), start))
            start += sources[-1].rows
    if not start:
        raise UserError(f"the files of {model} in '{folder}' have no rows: {way_out(model)}")
    return sources


def belongs(path: Path, split: str) -> bool:
    """Whether a file is one of a split's: SPLIT.parquet, SPLIT-….parquet, or in a folder SPLIT."""
    return path.stem == split or path.stem.startswith(f"{split}-") or path.parent.name == split


def checked_rows(path: Path) -> int:
    """Number of rows of a file whose columns are those of the data set.

    Raises:
        UserError: the file is no parquet, lacks a column, or has one of another type.
    """
    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise UserError(
            f"{path}: not a parquet file ({first_line(error)}): fetch it again"
        ) from None
    with file:
        schema, rows = file.schema_arrow, file.metadata.num_rows
    for name, kind in COLUMNS.items():
        if name not in schema.names:
            raise UserError(
                f"{path}: no column '{name}' ({kind}); it has {', '.join(schema.names)}: "
                f"give the files of {REPOSITORY}"
            )
        if plain(schema.field(name).type) != kind:
            raise UserError(
                f"{path}: column '{name}' is {schema.field(name).type}, not {kind}: "
                f"give the files of {REPOSITORY}"
            )
    return rows


def plain(kind: pa.DataType) -> pa.DataType:
    """A type with the large and fixed-size variants of its layout taken for the plain one."""
    if pa.types.is_large_string(kind):
        return pa.string()
    if pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return pa.list_(kind.value_type)
    return kind


def first_of_ids(sources: list[Source]) -> Int[np.ndarray, " rows"]:
    """Rank by sequence_id of every row of all files; -1 where an earlier row has the same id.

    Raises:
        UserError: a sequence_id is null.
    """
    parts = []
    for source in sources:
        with pq.ParquetFile(source.path) as file:
            parts.append(file.read(columns=["sequence_id"])[0])
        if parts[-1].null_count:
            raise UserError(f"{source.path}: 'sequence_id' is null {parts[-1].null_count} times")
    ids = np.concatenate([part.to_numpy() for part in parts])
    first = np.unique(ids, return_index=True)[1]
    ranks = np.full(len(ids), -1, np.int64)
    ranks[first] = np.arange(len(first))
    return ranks


def sorted_union(
    sources: list[Source], ranks: Int[np.ndarray, " rows"], folder: Path
) -> Iterator[pa.Table]:
    """The sequences with a rank, by ascending sequence_id, in tables of `PART` rows.

    Args:
        sources: of `find_files`.
        ranks: of `first_of_ids`.
        folder: for sorted parts; each is removed once it is read.

    Raises:
        UserError: a value is null, a sequence has not 64 tokens, a memory is not memorized.
    """
    paths = [folder / f"{start}.arrow" for start in range(0, int(ranks.max()) + 1, PART)]
    deal(sources, ranks, paths)
    for path in paths:
        with pa.OSFile(str(path)) as stream:
            table = pa.ipc.open_stream(stream).read_all()
        path.unlink()
        yield table.sort_by("sequence_id").combine_chunks()


def deal(sources: list[Source], ranks: Int[np.ndarray, " rows"], paths: list[Path]) -> None:
    """Write every row with a rank to the file of its part."""
    writers = [pa.ipc.new_stream(str(path), SCHEMA) for path in paths]
    total = sum(source.rows for source in sources)
    with tqdm(total=total, desc="semantic-filters", unit=" rows") as progress:
        for source in sources:
            start = source.start
            for batch in batches(source):
                parts = ranks[start : start + len(batch)] // PART  # -1 of a row that is dropped
                for part, writer in enumerate(writers):
                    writer.write_table(batch.take(np.flatnonzero(parts == part)))
                start += len(batch)
                progress.update(len(batch))
    for writer in writers:
        writer.close()


def batches(source: Source) -> Iterator[pa.Table]:
    """The rows of a file as sequences of this project."""
    with pq.ParquetFile(source.path) as file:
        for batch in file.iter_batches(batch_size=ROWS, columns=list(COLUMNS)):
            yield sequences_of(pa.Table.from_batches([batch]), source)


def sequences_of(table: pa.Table, source: Source) -> pa.Table:
    """Rows of the data set in the columns of `sequences.parquet`, published values beside them."""
    require_values(table, source)
    columns = {name: table[name] for name in ("sequence_id", "text", "sequence_duplicates")}
    columns["tokens"] = token_lists(table, source)
    columns |= {f"published_{name}": table[name] for name in PUBLISHED}
    for name in ("planted", "planted_copies", "document"):
        columns[name] = pa.nulls(len(table), SCHEMA.field(name).type)
    return pa.table({name: columns[name] for name in SCHEMA.names}).cast(SCHEMA)


def require_values(table: pa.Table, source: Source) -> None:
    """Raise UserError where a value is null, or a score is not one of its split."""
    for name in NEVER_NULL:
        if table[name].null_count:
            row = pc.index(table[name].is_null(), True).as_py()
            raise UserError(f"{source.path}: '{name}' of {named(table, row)} is null")
    scores = table["memorization_score"].to_numpy()
    low = 1.0 if source.split == "memories" else 0.0
    wrong = np.flatnonzero(~((scores >= low) & (scores <= 1)))
    if len(wrong):
        row = int(wrong[0])
        allowed = "1 (all memories are memorized)" if low else "from 0 to 1"
        raise UserError(
            f"{source.path}: 'memorization_score' of {named(table, row)} is "
            f"{scores[row]}, not {allowed}"
        )


def token_lists(table: pa.Table, source: Source) -> pa.FixedSizeListArray:
    """Tokens as lists of 64 int32.

    Raises:
        UserError: a sequence has another number of tokens, or a token that is no token id.
    """
    lists = table["tokens"].combine_chunks()
    lengths = pc.call_function("list_value_length", [lists]).to_numpy(zero_copy_only=False)
    wrong = np.flatnonzero(lengths != LENGTH)
    if len(wrong):
        row = int(wrong[0])
        raise UserError(
            f"{source.path}: {named(table, row)} has {lengths[row]} tokens, not {LENGTH}"
        )
    ids = lists.flatten()
    numbers = ids.to_numpy(zero_copy_only=False)
    wrong = np.flatnonzero(~((numbers >= 0) & (numbers <= LARGEST)))  # a null is not a number
    if len(wrong):
        row = int(wrong[0])
        raise UserError(
            f"{source.path}: {named(table, row // LENGTH)} has the token "
            f"{ids[row].as_py()}, not an id from 0 to {LARGEST}"
        )
    return pa.FixedSizeListArray.from_arrays(ids.cast(pa.int32()), LENGTH)


def named(table: pa.Table, row: int) -> str:
    """A row by its id, for an error."""
    return f"sequence_id {table['sequence_id'][row].as_py()}"


def listing(sources: list[Source], folder: Path) -> list[dict]:
    """Name, split, rows, bytes and sha256 of each file."""
    rows = []
    for source in tqdm(sources, desc="hashing", unit=" files"):
        with open(source.path, "rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        name = source.path.relative_to(folder).as_posix()
        about = {"file": name, "split": source.split, "rows": source.rows}
        rows.append(about | {"bytes": source.path.stat().st_size, "sha256": digest})
    return rows
