"""What a source gives as the files of data/sequences."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Int

from guess_or_recall.corpus.source import Corpus
from guess_or_recall.io import schemas
from guess_or_recall.io.checksums import sha256
from guess_or_recall.io.files import write_csv, write_json
from guess_or_recall.io.paths import (
    CORPUS,
    COVERAGE,
    DOCUMENTS,
    MANIFEST,
    SEQUENCES,
    STREAM,
    TOKENIZER,
)
from guess_or_recall.io.tables import token_column, write_parts

PART = 1 << 16  # windows that are written at once


def tables_of(stream: Int[np.ndarray, "windows length"]) -> Iterator[pa.Table]:
    """The windows of a stream in tables of few bytes."""
    for start in range(0, len(stream), PART):
        tokens = token_column(stream[start : start + PART])
        yield pa.table([tokens], schema=schemas.stream(stream.shape[1]))


def write(corpus: Corpus, source: str, folder: Path) -> None:
    """Write the tables, the tokenizer, every file's hash, the coverage, and the corpus in short."""
    manifest = folder / MANIFEST.name
    write_parts(folder / SEQUENCES.name, corpus.sequences)
    assert {*schemas.MANIFEST} <= {*corpus.manifest}
    write_csv(manifest, corpus.manifest, [*corpus.manifest])
    write_json(folder / COVERAGE.name, corpus.coverage)
    about = {"source": source}
    if corpus.documents is not None:
        write_parts(folder / DOCUMENTS.name, corpus.documents)
    if corpus.stream is not None:
        write_parts(folder / STREAM.name, tables_of(corpus.stream))
        hashed = hashlib.sha256(np.ascontiguousarray(corpus.stream, "<i4").data)
        about |= {"stream_windows": len(corpus.stream), "stream_sha256": hashed.hexdigest()}
    if corpus.tokenizer is not None:
        corpus.tokenizer.save_pretrained(folder / TOKENIZER.name)
        about |= {"tokenizer_sha256": sha256(folder / TOKENIZER.name / "tokenizer.json")}
    about |= {"manifest_sha256": sha256(manifest), **corpus.about}
    write_json(folder / CORPUS.name, about)
