"""Files that are there whole or not at all, and what a user is told where one is missing."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from guess_or_recall.errors import UserError, first_line
from guess_or_recall.io.checksums import NAME as CHECKSUMS
from guess_or_recall.io.checksums import checksums, damaged, sha256, verify

if TYPE_CHECKING:
    import pandas as pd


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


def write_json(path: Path, content: dict | list) -> None:
    """Write `content` as indented JSON, atomically."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")


def read_json(path: Path, *keys: str) -> dict:
    """Read an object of a JSON file; UserError where it is missing, damaged, or lacks a key."""
    existing(path)  # before: its UserError is a ValueError too
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise damaged(path, f"no JSON ({first_line(error)})") from None
    if not isinstance(content, dict):
        raise damaged(path, "it holds no JSON object")
    for key in keys:
        if key not in content:
            raise damaged(path, f"it has no entry '{key}'")
    return content


def seal(folder: Path) -> None:
    """Write the checksums of a finished output beside its files."""
    write_json(folder / CHECKSUMS, checksums(folder))


def write_csv(
    path: Path, frame: "pd.DataFrame", columns: Sequence[str], float_format: str | None = None
) -> None:
    """Write a table, which has the columns of its schema, as CSV, atomically."""
    assert [*frame.columns] == [*columns], f"{path.name}: {[*frame.columns]}"
    with atomic(path) as temporary:
        frame.to_csv(temporary, index=False, float_format=float_format)


def existing(path: Path) -> Path:
    """Return `path`; UserError where it is missing, unreadable, or not as its stage made it."""
    if not path.exists():
        raise UserError(
            f"{path} is missing: make it with `dvc repro` (or fetch it with `dvc pull`, where the "
            "remotes are set up: docs/sharing.md)"
        )
    if not os.access(path, os.R_OK):
        raise UserError(f"{path} cannot be read (Permission denied): make it readable (chmod u+r)")
    verify(path)
    return path


def content_hash(*paths: Path) -> str:
    """SHA-256 over the names and bytes of files, folders walked in sorted order."""
    digest = hashlib.sha256()
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [existing(path)]:
            if file.is_file():
                digest.update(file.name.encode())
                digest.update(bytes.fromhex(sha256(file)))
    return digest.hexdigest()


def publish(folder: Path, output: Path) -> None:
    """Move a finished folder to `output`, replacing what stands there."""
    output.parent.mkdir(parents=True, exist_ok=True)
    if output.exists():
        shutil.rmtree(output)  # what stays would take the new folder in
    shutil.move(folder, output)


def require_disk(folder: Path, needed: int) -> None:
    """Raise UserError where the file system of `folder` has less than `needed` bytes free."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"disk full: {folder} needs {needed / 1e9:.2f} GB, {free / 1e9:.2f} GB are free"
        )
