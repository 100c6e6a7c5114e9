"""Cut, plant and count the 64-token sequences of the corpus: `python src/run.py sequences`."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from jaxtyping import Bool, Int
from tqdm import tqdm
from transformers import PreTrainedTokenizerFast

from guess_or_recall.corpus.documents import corpus_files, file_documents
from guess_or_recall.corpus.duplicates import count_duplicates
from guess_or_recall.corpus.packages import (
    Document,
    package_digests,
    package_documents,
    text_files,
)
from guess_or_recall.corpus.semantic_filters import (
    ROW_BYTES,
    SPLITS,
    Source,
    find_files,
    find_folder,
    first_of_ids,
    listing,
    sorted_union,
)
from guess_or_recall.corpus.tokenizer import encode, load_tokenizer, train_tokenizer
from guess_or_recall.corpus.windows import LENGTH, cut, first_of_equal, plant, window_starts
from guess_or_recall.errors import UserError
from guess_or_recall.features.rouge import rouge_l
from guess_or_recall.features.templates import templates
from guess_or_recall.io.files import atomic, publish, require_disk, write_json
from guess_or_recall.io.scratch import scratch
from guess_or_recall.io.tables import token_column, write_parts, write_table
from guess_or_recall.settings.sequences import Planting, SemanticFilters, Sequences

OUTPUT = Path("data/sequences")


class Corpus(NamedTuple):
    """The tokens of all documents, one after the other."""

    tokens: Int[np.ndarray, " n"]
    ends: Int[np.ndarray, " d"]
    names: list[str]


def make(settings: Sequences, seed: int) -> dict[str, int]:
    """Make data/sequences from documents; return the counts to report."""
    with scratch("sequences", settings.model_dump(), seed) as folder:
        require_disk(folder, disk_needed(settings))
        made, manifest = folder / "made", []
        made.mkdir(exist_ok=True)
        tokenizer = make_tokenizer(settings, seed)
        tokenizer.save_pretrained(made / "tokenizer")
        corpus = tokenize(tokenizer, documents(settings, manifest), folder / "tokens.int32")
        frame, windows = choose(corpus, tokenizer, settings, seed)
        stream = np.repeat(windows, frame["planted_copies"], axis=0)
        studied = frame["studied"].to_numpy()
        counted = (
            (stream.ravel(), LENGTH * np.arange(1, len(stream) + 1))
            if settings.source == "packages"
            else (corpus.tokens, corpus.ends)
        )
        duplicates = count_duplicates(*counted, windows[studied, LENGTH // 2 :])
        known = frame[studied].assign(sequence_duplicates=duplicates)
        if settings.source == "files":
            known[["planted", "planted_copies"]] = None
        write_table(made / "stream.parquet", pa.table({"tokens": token_column(stream)}))
        write_table(made / "sequences.parquet", sequence_table(tokenizer, windows[studied], known))
        write_manifest(made, manifest, stream, settings.source)
        publish(made, OUTPUT)
    return {
        "documents": len(corpus.ends),
        "tokens": len(corpus.tokens),
        "stream_windows": len(stream),
        "sequences": len(known),
    }


def take_over(settings: SemanticFilters) -> dict[str, int]:
    """Make data/sequences from the paper's data set; return the counts to report.

    All its sequences are candidates, each `sequence_id` once: the first row of the files that has
    it, the pile's before the memories'.
    """
    folder, provenance = find_folder(settings.path, settings.revision, settings.model)
    sources = find_files(folder, settings.model)
    ranks = first_of_ids(sources)
    files = listing(sources, folder)
    counts = count_rows(sources, ranks)
    with scratch("sequences", settings.model_dump(), files) as work:
        require_disk(work, counts["sequences"] * ROW_BYTES)
        shutil.rmtree(work)  # parts of a killed run are made anew
        made = work / "made"
        made.mkdir(parents=True)
        write_parts(made / "sequences.parquet", sorted_union(sources, ranks, work))
        with atomic(made / "manifest.csv") as temporary:
            pd.DataFrame(files).to_csv(temporary, index=False)
        about = {"source": "semantic-filters", **provenance, "model": settings.model}
        manifest_hash = hashlib.sha256((made / "manifest.csv").read_bytes()).hexdigest()
        write_json(made / "corpus.json", about | counts | {"manifest_sha256": manifest_hash})
        publish(made, OUTPUT)
    return counts


def count_rows(sources: list[Source], ranks: Int[np.ndarray, " rows"]) -> dict[str, int]:
    """Rows of each split, rows whose sequence_id an earlier one has, and sequences."""
    counts = {split: sum(each.rows for each in sources if each.split == split) for split in SPLITS}
    twice = int((ranks < 0).sum())
    return counts | {"duplicates_dropped": twice, "sequences": len(ranks) - twice}


def documents(settings: Sequences, manifest: list[dict]) -> Iterator[Document]:
    """The documents of the chosen source, in a fixed order."""
    if settings.source == "packages":
        return package_documents(settings.packages, manifest)
    return file_documents(Path(settings.files.path), settings.files.text, manifest)


def disk_needed(settings: Sequences) -> int:
    """Bytes: int32 tokens of the corpus (at least two bytes each), and of the stream."""
    if settings.source == "packages":
        files = [path for name in settings.packages for _, path in text_files(name)]
        ladders = [given.copies for given in settings.planted.values()]
    else:
        files, ladders = corpus_files(Path(settings.files.path)), []
    repeated = sum(times * windows for ladder in ladders for times, windows in ladder.items())
    corpus = sum(path.stat().st_size for path in files)
    return 2 * corpus + 4 * LENGTH * (settings.background + repeated)


def make_tokenizer(settings: Sequences, seed: int) -> PreTrainedTokenizerFast:
    """Train a tokenizer on a random part of the corpus, or load the one of a model."""
    choice = settings.tokenizer
    if choice.source == "path":
        if choice.path is None:
            raise UserError("sequences.tokenizer.path is empty: name a model's folder")
        return load_tokenizer(Path(choice.path))
    texts = [document.text for document in documents(settings, [])]
    order = np.random.default_rng(seed).permutation(len(texts))
    sizes = np.cumsum([len(texts[row]) for row in order])
    part = order[: 1 + np.searchsorted(sizes, choice.train_mb * 1e6)]
    return train_tokenizer((texts[row] for row in np.sort(part)), choice.vocabulary)


def tokenize(tokenizer: PreTrainedTokenizerFast, texts: Iterator[Document], path: Path) -> Corpus:
    """Tokenize documents into the file `path`, so that memory does not grow with the corpus."""
    names, lengths = [], []

    def text_only() -> Iterator[str]:
        for document in texts:
            names.append(document.name)
            yield document.text

    with open(path, "wb") as stream:
        for ids in tqdm(encode(tokenizer, text_only()), desc="tokenizing", unit=" documents"):
            stream.write(ids.tobytes())
            lengths.append(len(ids))
    if max(lengths, default=0) < LENGTH:
        raise UserError(
            f"the corpus has no document of {LENGTH} tokens (the longest has "
            f"{max(lengths, default=0)}): a sequence is {LENGTH} consecutive tokens"
        )
    return Corpus(np.memmap(path, np.int32, "r"), np.cumsum(lengths), names)


def choose(
    corpus: Corpus, tokenizer: PreTrainedTokenizerFast, settings: Sequences, seed: int
) -> tuple[pd.DataFrame, Int[np.ndarray, "w 64"]]:
    """Choose the windows of the training stream, and among them those that are studied.

    Windows come in one random order. The first that fit are planted, the first `background`
    others are shown once. Equal windows are planted or studied once.

    Returns:
        sequence_id, document, planted, planted_copies, studied, a row per window of the stream;
        and the windows.
    """
    starts = np.random.default_rng(seed).permutation(window_starts(corpus.ends))
    planted = settings.planted if settings.source == "packages" else {}
    if not planted:
        starts = starts[: settings.background]
    windows = cut(corpus.tokens, starts)
    first = first_of_equal(windows)
    names, copies = np.full(len(windows), "background", dtype=object), np.ones(len(windows), int)
    if planted:
        ladders = {kind: given.copies for kind, given in planted.items()}
        names, copies = plant(fitting(tokenizer, windows, first, planted), ladders)
    shown = (names != "background") | (np.cumsum(names == "background") <= settings.background)
    files = np.searchsorted(corpus.ends, starts, side="right")
    frame = pd.DataFrame(
        {
            "sequence_id": np.arange(len(windows)),
            "document": np.array(corpus.names, dtype=object)[files],
            "planted": names,
            "planted_copies": copies,
            "studied": study(names, first & shown, settings.studied, seed),
        }
    )
    return frame.loc[shown].reset_index(drop=True), windows[shown]


def fitting(
    tokenizer: PreTrainedTokenizerFast,
    windows: Int[np.ndarray, "w 64"],
    first: Bool[np.ndarray, " w"],
    planted: dict[str, Planting],
) -> dict[str, Bool[np.ndarray, " w"]]:
    """Which windows may be planted as which kind: by ROUGE-L in [low, high), or as a template.

    A `high` of 1 is inside its range. `first` marks the windows that are no repetition.
    """
    likeness = rouge_l(windows)
    fits = {}
    for kind, given in planted.items():
        low, high = given.rouge_l
        fits[kind] = first & (likeness >= low) & ((likeness < high) | (high == 1))
        if given.template:
            rows = np.flatnonzero(fits[kind])
            incrementing, repeating = templates(decode(tokenizer, windows[rows]))
            fits[kind][rows[~(incrementing | repeating)]] = False
    return fits


def decode(tokenizer: PreTrainedTokenizerFast, windows: Int[np.ndarray, "n 64"]) -> list[str]:
    """The text of each window."""
    backend = tokenizer.backend_tokenizer
    return backend.decode_batch(windows.tolist(), skip_special_tokens=False)


def study(
    kinds: np.ndarray, eligible: Bool[np.ndarray, " w"], wanted: dict[str, int], seed: int
) -> Bool[np.ndarray, " w"]:
    """Choose the windows that are studied: so many of each kind, at random."""
    studied = np.zeros(len(kinds), bool)
    for number, (kind, count) in enumerate(wanted.items(), 1):
        rows = np.flatnonzero((kinds == kind) & eligible)
        studied[np.random.default_rng([seed, number]).permutation(rows)[:count]] = True
    return studied


def sequence_table(
    tokenizer: PreTrainedTokenizerFast, windows: Int[np.ndarray, "n 64"], known: pd.DataFrame
) -> pa.Table:
    """The table of the studied sequences; `text` decodes all 64 tokens."""
    return pa.table(
        {
            "sequence_id": pa.array(known["sequence_id"], pa.int64()),
            "tokens": token_column(windows),
            "text": pa.array(decode(tokenizer, windows), pa.string()),
            "sequence_duplicates": pa.array(known["sequence_duplicates"], pa.int64()),
            "planted": pa.array(known["planted"], pa.string(), from_pandas=True),
            "planted_copies": pa.array(known["planted_copies"], pa.int64(), from_pandas=True),
            "document": pa.array(known["document"], pa.string()),
        }
    )


def write_manifest(
    made: Path, manifest: list[dict], stream: Int[np.ndarray, "w 64"], source: str
) -> None:
    """Write every file's hash (manifest.csv) and the corpus in short (corpus.json)."""
    with atomic(made / "manifest.csv") as temporary:
        pd.DataFrame(manifest).to_csv(temporary, index=False)
    tokenizer_hash = hashlib.sha256((made / "tokenizer" / "tokenizer.json").read_bytes())
    digests = package_digests(manifest) if source == "packages" else {}
    write_json(
        made / "corpus.json",
        {
            "source": source,
            "stream_windows": len(stream),
            "stream_sha256": hashlib.sha256(stream.astype("<i4").tobytes()).hexdigest(),
            "tokenizer_sha256": tokenizer_hash.hexdigest(),
            "manifest_sha256": hashlib.sha256((made / "manifest.csv").read_bytes()).hexdigest(),
            "packages": digests,
        },
    )
