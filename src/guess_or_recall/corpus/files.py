"""A corpus of the user's own: a folder (or file) of txt, jsonl or parquet."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from guess_or_recall.corpus.decoding import MARK, Inspection, damaged, inspect, read_text
from guess_or_recall.corpus.listing import CorpusFile, Listing, list_files
from guess_or_recall.corpus.parquet import parquet_rows
from guess_or_recall.corpus.source import Document, Reading, Texts
from guess_or_recall.errors import UserError
from guess_or_recall.io.checksums import sha256
from guess_or_recall.settings.sequences import Files

KEY = "sequences.files.path"
ID = "id"  # the field or column with the user's own name of a document


def corpus_files(path: Path) -> Listing:
    """The files of a corpus in sorted order; UserError where there are none."""
    if not path.exists():
        raise UserError(f"{KEY}: '{path}' does not exist")
    listing = list_files(path, READERS, KEY)
    if not listing.files:
        reasons = Counter(row["reason"] for row in listing.skipped).most_common(5)
        others = ", ".join(f"{count} {reason}" for reason, count in reasons)
        raise UserError(
            f"{KEY}: '{path}' holds no {', '.join(READERS)} file"
            + (f" (skipped: {others})" if others else "")
        )
    return listing


def file_documents(settings: Files, reading: Reading) -> Iterator[Document]:
    """Stream the documents of a corpus: a txt file is one, a line of jsonl or parquet row is one.

    Args:
        settings: the folder or file, and the field or column that holds the text.
        reading: gets file, bytes, sha256 and encoding of each file, the files that are skipped,
            and how many rows have no text.

    Raises:
        UserError: a file cannot be read, is damaged, or has no such field or column.
    """
    listing = corpus_files(Path(settings.path))
    reading.skipped.extend(listing.skipped)
    for file in listing.files:
        with complaints(file):
            yield from READERS[file.path.suffix.lower()](file, settings, reading)


@contextmanager
def complaints(file: CorpusFile) -> Iterator[None]:
    """Turn what the operating system or a codec says of a file into a UserError."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{file.path} cannot be read ({error.strerror or error}): make it readable (chmod "
            "u+r), or take it out of the corpus"
        ) from None
    except UnicodeError as error:
        raise damaged(file.path, error) from None


def inspected(file: CorpusFile, settings: Files, reading: Reading) -> str:
    """The encoding of a text file, which is noted in the manifest."""
    seen = inspect(file.path, settings.encoding)
    note(file, seen, reading)
    return seen.encoding


def note(file: CorpusFile, seen: Inspection, reading: Reading) -> None:
    """Add a file to the manifest."""
    row = {"file": file.name, "bytes": seen.bytes, "sha256": seen.sha256}
    encoding = {"encoding": seen.encoding, "encoding_is_guessed": seen.is_guessed}
    reading.manifest.append(row | encoding)


def read_txt(file: CorpusFile, settings: Files, reading: Reading) -> Iterator[Document]:
    """One document: the whole file, its line ends as they are."""
    yield Document(file.name, read_text(file.path, inspected(file, settings, reading)))


def read_jsonl(file: CorpusFile, settings: Files, reading: Reading) -> Iterator[Document]:
    """One document a line; blank lines are none, and a null is no text."""
    encoding, text = inspected(file, settings, reading), settings.text
    with open(file.path, encoding=encoding) as lines:
        for number, line in enumerate(lines, 1):
            line = line.removeprefix(MARK) if number == 1 else line
            if not line.strip():
                continue
            row = parse_line(line, f"{file.path}, line {number}", text)
            if row[text] is None:
                reading.counts["documents_null"] += 1
            else:
                yield Document(f"{file.name}:{number}", row[text], identity(row.get(ID)))


def parse_line(line: str, place: str, text: str) -> dict:
    """A line of jsonl; UserError where it is no object, or has no text or null in its field."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{place}: not valid JSON ({error})") from None
    if not isinstance(row, dict) or text not in row:
        raise UserError(f"{place}: no field '{text}' (sequences.files.text)")
    if not isinstance(row[text], str | None):
        raise UserError(
            f"{place}: '{text}' is {json.dumps(row[text])[:40]}, not a text: give a text or null"
        )
    return row


def identity(value: object) -> str | None:
    """The user's own name of a document as text."""
    return value if value is None or isinstance(value, str) else str(value)


def read_parquet(file: CorpusFile, settings: Files, reading: Reading) -> Iterator[Document]:
    """One document a row; a null is no text."""
    size = file.path.stat().st_size
    note(file, Inspection(size, sha256(file.path), "utf-8", False), reading)
    for number, (content, name) in enumerate(parquet_rows(file.path, settings.text, ID), 1):
        if content is None:
            reading.counts["documents_null"] += 1
        else:
            yield Document(f"{file.name}:{number}", content, identity(name))


READERS: dict[str, Callable[[CorpusFile, Files, Reading], Iterator[Document]]] = {
    ".txt": read_txt,
    ".jsonl": read_jsonl,
    ".parquet": read_parquet,
}

FILES = Texts(
    documents=lambda settings, reading: file_documents(settings.files, reading),
    files=lambda settings: [file.path for file in corpus_files(Path(settings.files.path)).files],
    is_training_corpus=False,
    describe=lambda manifest: {},
)
