"""A corpus of the user's own: a folder (or file) of txt, jsonl or parquet."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from guess_or_recall.corpus.source import Document, Texts
from guess_or_recall.errors import UserError

SUFFIXES = (".txt", ".jsonl", ".parquet")


def corpus_files(path: Path) -> list[Path]:
    """The files of a corpus in sorted order; UserError where there are none."""
    if not path.exists():
        raise UserError(f"sequences.files.path: '{path}' does not exist")
    candidates = sorted(path.rglob("*")) if path.is_dir() else [path]
    files = [file for file in candidates if file.suffix in SUFFIXES]
    if not files:
        raise UserError(f"sequences.files.path: '{path}' holds no {', '.join(SUFFIXES)} file")
    return files


def file_documents(path: Path, text: str, manifest: list[dict]) -> Iterator[Document]:
    """Stream the documents of a corpus: a txt file is one, a line of jsonl or parquet row is one.

    Args:
        path: a folder or a file.
        text: the field of jsonl, or the column of parquet, that holds the text.
        manifest: gets file, bytes and sha256 of each file.
    """
    readers = {".txt": read_txt, ".jsonl": read_jsonl, ".parquet": read_parquet}
    for file in corpus_files(path):
        with open(file, "rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        name = str(file.relative_to(path)) if path.is_dir() else file.name
        manifest.append({"file": name, "bytes": file.stat().st_size, "sha256": digest})
        yield from readers[file.suffix](file, text)


def read_txt(file: Path, text: str) -> Iterator[Document]:
    """One document: the whole file."""
    yield Document(file.name, file.read_text("utf-8", errors="replace"))


def read_jsonl(file: Path, text: str) -> Iterator[Document]:
    """One document a line; blank lines are none."""
    with open(file, encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                content = json.loads(line)[text]
            except json.JSONDecodeError:
                raise UserError(f"{file}, line {number}: not valid JSON") from None
            except (KeyError, TypeError):
                raise UserError(
                    f"{file}, line {number}: no field '{text}' (sequences.files.text)"
                ) from None
            if not isinstance(content, str):
                raise UserError(f"{file}, line {number}: '{text}' is not a text")
            yield Document(f"{file.name}:{number}", content)


def read_parquet(file: Path, text: str) -> Iterator[Document]:
    """One document a row, read in batches."""
    try:
        table = pq.ParquetFile(file)
    except pa.ArrowInvalid as error:
        raise UserError(f"{file}: not a parquet file ({error})") from None
    if text not in table.schema_arrow.names:
        names = ", ".join(table.schema_arrow.names)
        raise UserError(f"{file}: no column '{text}' (sequences.files.text); it has {names}")
    kind = table.schema_arrow.field(text).type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise UserError(f"{file}: column '{text}' is {kind}, not string")
    row = 0
    for batch in table.iter_batches(batch_size=1024, columns=[text]):
        for content in batch.column(0).to_pylist():
            row += 1
            yield Document(f"{file.name}:{row}", content or "")


FILES = Texts(
    documents=lambda settings, manifest: file_documents(
        Path(settings.files.path), settings.files.text, manifest
    ),
    files=lambda settings: corpus_files(Path(settings.files.path)),
    is_training_corpus=False,
    describe=lambda manifest: {},
)
