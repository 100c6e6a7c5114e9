"""Atomic writes, tables with a checked schema, and scratch folders that survive a kill."""

import argparse
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Int

from guess_or_recall.errors import UserError


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; rename it to `path` when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def output_folder(text: str) -> Path:
    """The type of a folder to write to, for argparse: refused where a file stands in its way."""
    path = Path(text)
    for each in (path, *path.parents):
        if each.exists() and not each.is_dir():
            raise argparse.ArgumentTypeError(f"{each} is a file, not a folder")
    return path


def write_json(path: Path, content: dict | list) -> None:
    """Write `content` as indented JSON, atomically."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> dict:
    """Read a JSON file; UserError where it is missing."""
    return json.loads(existing(path).read_text())


def existing(path: Path) -> Path:
    """Return `path`, or raise UserError saying how to make it."""
    if not path.exists():
        raise UserError(
            f"{path} is missing: make it with `dvc repro` (or fetch it with `dvc pull`, where the "
            "remotes are set up: README, Share)"
        )
    return path


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
    check_columns(path, schema)
    return pq.read_table(path, columns=schema.names)


def read_parts(path: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    """Read the columns of `schema`, one row group at a time; UserError as `read_table`."""
    check_columns(path, schema)
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, columns=schema.names)


def read_rows(path: Path, schema: pa.Schema, ids: Int[np.ndarray, " n"]) -> pa.Table:
    """Read the rows with these `sequence_id`s (a column of `schema`), in the order of the file.

    Memory is that of one row group and of the rows found; UserError as `read_table`.
    """
    parts = read_parts(path, schema)
    found = [part.filter(np.isin(part["sequence_id"].to_numpy(), ids)) for part in parts]
    return pa.concat_tables(found) if found else schema.empty_table()


def check_columns(path: Path, schema: pa.Schema) -> None:
    """Raise UserError where a parquet file lacks a column of `schema`, or has another type."""
    try:
        found = pq.read_schema(existing(path))
    except pa.ArrowInvalid as error:
        raise UserError(
            f"{path} is damaged ({error}): `dvc checkout --force` restores it"
        ) from None
    for field in schema:
        if field.name not in found.names:
            raise UserError(f"{path}: no column '{field.name}' (it has {', '.join(found.names)})")
        if found.field(field.name).type != field.type:
            raise UserError(
                f"{path}: column '{field.name}' is {found.field(field.name).type}, not {field.type}"
            )


def token_column(tokens: Int[np.ndarray, "n length"]) -> pa.FixedSizeListArray:
    """Make a fixed-size-list column of int32 token ids."""
    return pa.FixedSizeListArray.from_arrays(
        pa.array(tokens.ravel(), pa.int32()), list_size=tokens.shape[1]
    )


def token_matrix(column: pa.ChunkedArray) -> Int[np.ndarray, "n length"]:
    """Read a fixed-size-list column back as an int32 matrix."""
    flat = np.concatenate([chunk.flatten().to_numpy() for chunk in column.chunks])
    return flat.reshape(len(column), column.type.list_size)


def content_hash(*paths: Path) -> str:
    """SHA-256 over the names and bytes of files, folders walked in sorted order."""
    digest = hashlib.sha256()
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [existing(path)]:
            if file.is_file():
                digest.update(file.name.encode())
                with open(file, "rb") as stream:
                    digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def repository() -> Path:
    """Folder of dvc.yaml; from a workspace of `dvc exp run --temp`, that of the repository."""
    here = Path.cwd()
    for parent in here.parents:
        if parent.parts[-3:] == (".dvc", "tmp", "exps"):
            return parent.parents[2]
    return here


def scratch_root() -> Path:
    """Folder of all scratch folders; GUESS_OR_RECALL_SCRATCH lets several clones share one."""
    return Path(os.environ.get("GUESS_OR_RECALL_SCRATCH", repository() / ".scratch"))


def work_name(stage: str, *matters: object) -> str:
    """A name for a stage's work, another one where anything that it depends on differs."""
    versions = [version("torch"), version("transformers")]
    code = content_hash(*sorted(Path(__file__).parent.rglob("*.py")))
    work = json.dumps([stage, *matters, versions, code], sort_keys=True, default=str)
    return f"{stage}-{hashlib.sha256(work.encode()).hexdigest()[:16]}"


@contextmanager
def scratch(
    stage: str, *matters: object, keep: bool = False, shared: bool = False
) -> Iterator[Path]:
    """Give the scratch folder of a long stage; it outlives a kill and is removed after success.

    Args:
        stage: the stage's name.
        matters: everything that the result depends on (params, hashes of inputs); another
            value, other code or another torch or transformers is another folder, so that
            nothing stale is ever taken up again.
        keep: whether the folder stays after success too, for who asks next.
        shared: whether others who share it may work in it at the same time; it stays then too.

    A second process with the same work waits here until the first has ended.
    """
    folder = scratch_root() / work_name(stage, *matters)
    with locked(folder.with_suffix(".lock"), shared):
        folder.mkdir(exist_ok=True)
        yield folder
        if not keep and not shared:
            shutil.rmtree(folder)


@contextmanager
def locked(path: Path, shared: bool = False) -> Iterator[None]:
    """Hold a lock file; wait for it where another process does, but for those who share it.

    It is removed after success, unless it is shared.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with open(path, "a+") as lock:  # NFS shares no lock of a file open to write alone
            fcntl.flock(lock, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
            if not stands_at(path, lock.fileno()):
                continue  # who held it has removed it meanwhile: others would lock a new file
            yield
            if not shared:
                path.unlink()  # while it is held: nobody else's file, put there later, is removed
            return


def stands_at(path: Path, descriptor: int) -> bool:
    """Whether an open file is still the one at `path`."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def publish(folder: Path, output: Path) -> None:
    """Move a finished folder to `output`, replacing what stands there."""
    output.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(output, ignore_errors=True)
    shutil.move(folder, output)


def require_disk(folder: Path, needed: int) -> None:
    """Raise UserError where the file system of `folder` has less than `needed` bytes free."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"disk full: {folder} needs {needed / 1e9:.2f} GB, {free / 1e9:.2f} GB are free"
        )
