"""What a source gives as the files of data/sequences."""

import hashlib
from pathlib import Path

import pyarrow as pa

from guess_or_recall.corpus.source import Corpus
from guess_or_recall.io.files import sha256, write_csv, write_json
from guess_or_recall.io.paths import (
    CORPUS,
    COVERAGE,
    DOCUMENTS,
    MANIFEST,
    SEQUENCES,
    STREAM,
    TOKENIZER,
)
from guess_or_recall.io.tables import token_column, write_parts, write_table


def write(corpus: Corpus, source: str, folder: Path) -> None:
    """Write the tables, the tokenizer, every file's hash, the coverage, and the corpus in short."""
    manifest = folder / MANIFEST.name
    write_parts(folder / SEQUENCES.name, corpus.sequences)
    write_csv(manifest, corpus.manifest)
    write_json(folder / COVERAGE.name, corpus.coverage)
    about = {"source": source}
    if corpus.documents is not None:
        write_parts(folder / DOCUMENTS.name, corpus.documents)
    if corpus.stream is not None:
        write_table(folder / STREAM.name, pa.table({"tokens": token_column(corpus.stream)}))
        hashed = hashlib.sha256(corpus.stream.astype("<i4").tobytes())
        about |= {"stream_windows": len(corpus.stream), "stream_sha256": hashed.hexdigest()}
    if corpus.tokenizer is not None:
        corpus.tokenizer.save_pretrained(folder / TOKENIZER.name)
        about |= {"tokenizer_sha256": sha256(folder / TOKENIZER.name / "tokenizer.json")}
    about |= {"manifest_sha256": sha256(manifest), **corpus.about}
    write_json(folder / CORPUS.name, about)
