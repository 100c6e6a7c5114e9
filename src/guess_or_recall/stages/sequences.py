"""Cut, plant and count the sequences of the corpus: `python src/run.py sequences`."""

import hashlib
import shutil
from pathlib import Path

import pyarrow as pa

from guess_or_recall.corpus.source import Corpus
from guess_or_recall.corpus.sources import SOURCES
from guess_or_recall.io.files import publish, write_csv, write_json
from guess_or_recall.io.paths import (
    CORPUS,
    MANIFEST,
    SEQUENCES,
    SEQUENCES_FOLDER,
    STREAM,
    TOKENIZER,
    metrics_of,
)
from guess_or_recall.io.scratch import scratch
from guess_or_recall.io.tables import token_column, write_parts, write_table
from guess_or_recall.settings.section import read_settings
from guess_or_recall.settings.sequences import SequencesSettings


def main() -> None:
    """Write data/sequences and metrics/sequences.json."""
    settings = read_settings(SequencesSettings)
    source = settings.sequences.source
    with scratch("sequences", settings.model_dump()) as folder:
        shutil.rmtree(folder)  # nothing of a killed run is taken up
        folder.mkdir()
        corpus = SOURCES[source](settings.sequences, settings.seed, folder)
        write(corpus, source, folder / SEQUENCES_FOLDER.name)
        publish(folder / SEQUENCES_FOLDER.name, SEQUENCES_FOLDER)
    write_json(metrics_of("sequences"), corpus.counts)


def write(corpus: Corpus, source: str, folder: Path) -> None:
    """Write the tables, the tokenizer, every file's hash, and the corpus in short."""
    manifest = folder / MANIFEST.name
    write_parts(folder / SEQUENCES.name, corpus.sequences)
    write_csv(manifest, corpus.manifest)
    about = {"source": source}
    if corpus.stream is not None:
        write_table(folder / STREAM.name, pa.table({"tokens": token_column(corpus.stream)}))
        hashed = hashlib.sha256(corpus.stream.astype("<i4").tobytes())
        about |= {"stream_windows": len(corpus.stream), "stream_sha256": hashed.hexdigest()}
    if corpus.tokenizer is not None:
        corpus.tokenizer.save_pretrained(folder / TOKENIZER.name)
        about |= {"tokenizer_sha256": sha256(folder / TOKENIZER.name / "tokenizer.json")}
    about |= {"manifest_sha256": sha256(manifest), **corpus.about}
    write_json(folder / CORPUS.name, about)


def sha256(path: Path) -> str:
    """Hash of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
