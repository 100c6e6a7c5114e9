"""Files of the data set: where they are, fetched or in a folder, and whether they fit."""

import errno
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from huggingface_hub import snapshot_download
from tqdm import tqdm

from guess_or_recall.corpus.semantic_filters.data_set import (
    COLUMNS,
    KEY,
    REPOSITORY,
    SPLITS,
    DataFile,
)
from guess_or_recall.errors import UserError, first_line
from guess_or_recall.settings.sequences import SemanticFilters


def find_folder(choice: SemanticFilters) -> tuple[Path, dict]:
    """The folder with the parquet files, which are fetched first where the source is the hub.

    Returns:
        The folder, and its provenance: the path, or the repository and its commit.

    Raises:
        UserError: the folder does not exist, or the hub does not give the files.
    """
    model, revision = choice.model, choice.revision
    if choice.source == "path":
        if not Path(choice.path).is_dir():
            raise UserError(f"{KEY}.path: no folder '{choice.path}': {way_out(model)}")
        return Path(choice.path), {"path": choice.path}
    try:
        folder = snapshot_download(
            REPOSITORY, repo_type="dataset", revision=revision, allow_patterns=patterns(model)
        )
    except Exception as error:  # those of the network have no common type
        if getattr(error, "errno", None) == errno.ENOSPC:
            raise
        raise UserError(
            f"{REPOSITORY} at revision '{revision}' cannot be fetched from the Hugging Face hub "
            f"({type(error).__name__}: {first_line(error)}): {way_out(model)}"
        ) from None
    return Path(folder), {"repository": REPOSITORY, "commit": Path(folder).name}


def patterns(model: str) -> list[str]:
    """What the hub is asked for: the files of both splits, in any folder."""
    return [f"*{split}_deduped_{model}{end}" for split in SPLITS for end in ("[-.]*", "/*")]


def way_out(model: str) -> str:
    """How to come by the files."""
    return (
        f"fetch its pile_deduped_{model} and memories_deduped_{model} "
        f"(hf download {REPOSITORY} --repo-type dataset --include '*_deduped_{model}[-.]*' "
        f"--local-dir FOLDER) and set {KEY}.source to path and {KEY}.path to FOLDER"
    )


def find_files(folder: Path, model: str) -> list[DataFile]:
    """The checked files of both splits, the pile's first, each split in the order of names.

    Raises:
        UserError: a split has no file, a file is damaged or has other columns, or all are empty.
    """
    files, start = [], 0
    for split in SPLITS:
        name = f"{split}_deduped_{model}"
        paths = sorted(path for path in folder.rglob("*.parquet") if belongs(path, name))
        if not paths:
            raise UserError(
                f"'{folder}' has no {name}-*.parquet, {name}.parquet or {name}/*.parquet: "
                f"{way_out(model)}, or choose another {KEY}.model"
            )
        for path in paths:
            files.append(DataFile(path, split, checked_rows(path), start))
            start += files[-1].rows
    if not start:
        raise UserError(f"the files of {model} in '{folder}' have no rows: {way_out(model)}")
    return files


def belongs(path: Path, split: str) -> bool:
    """Whether a file is one of a split's: SPLIT.parquet, SPLIT-….parquet, or in a folder SPLIT."""
    return path.stem == split or path.stem.startswith(f"{split}-") or path.parent.name == split


@contextmanager
def undamaged(path: Path) -> Iterator[None]:
    """Raise UserError where a parquet file turns out to be damaged, wherever that is in it."""
    try:
        yield
    except (UnicodeError, pa.ArrowException, OSError) as error:
        raise UserError(
            f"{path}: not a parquet file, or a damaged one ({first_line(error)}): fetch it again"
        ) from None


def checked_rows(path: Path) -> int:
    """Number of rows of a file whose columns are those of the data set.

    Raises:
        UserError: the file is no parquet, lacks a column, or has one of another type.
    """
    with undamaged(path), pq.ParquetFile(path) as file:
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
    """A type with the other layouts of the same values taken for the plain one."""
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_dictionary(kind):
        return plain(kind.value_type)
    if pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return pa.list_(kind.value_type)
    return kind


def listing(files: list[DataFile], folder: Path) -> pd.DataFrame:
    """Name, split, rows, bytes and sha256 of each file."""
    rows = []
    for file in tqdm(files, desc="hashing", unit=" files"):
        with open(file.path, "rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        name = file.path.relative_to(folder).as_posix()
        row = {"file": name, "split": file.split, "rows": file.rows}
        rows.append(row | {"bytes": file.path.stat().st_size, "sha256": digest})
    return pd.DataFrame(rows)
