"""Sequences cut from texts: tokenized, chosen, and their duplicates counted."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from jaxtyping import Bool, Int
from transformers import PreTrainedTokenizerFast

from guess_or_recall.corpus.coverage import coverage, unused
from guess_or_recall.corpus.documents import read_documents, tables_of, tokenize
from guess_or_recall.corpus.duplicates import count_duplicates
from guess_or_recall.corpus.planting import choose
from guess_or_recall.corpus.source import Corpus, Reading, Texts
from guess_or_recall.corpus.tokenizer import (
    decode,
    load_tokenizer,
    odd_tokens,
    part_to_train_on,
    train_tokenizer,
)
from guess_or_recall.errors import UserError
from guess_or_recall.io import schemas
from guess_or_recall.io.files import require_disk
from guess_or_recall.io.tables import token_column
from guess_or_recall.settings.sequences import Sequences

TOKEN_BYTES = 4  # of an int32


def cut_sequences(texts: Texts, settings: Sequences, seed: int, folder: Path) -> Corpus:
    """Cut the sequences of a source of texts, and the training stream.

    Args:
        texts: the source.
        settings: the section `sequences`.
        seed: of all draws.
        folder: for the tokens of the corpus, which are read from the disk until the end.

    Raises:
        UserError: the disk is too small, or no document is as long as a sequence.
    """
    require_disk(folder, disk_needed(texts, settings))
    reading, path = Reading(), folder / "tokens.int32"
    tokenizer = make_tokenizer(texts, settings, seed)
    documents = read_documents(texts, settings, reading)
    tokenized = tokenize(tokenizer, documents, path, settings, reading.counts)
    require_length(tokenized.ends, settings.total)
    planted = settings.planted if texts.is_training_corpus else {}
    frame, windows = choose(tokenized, tokenizer, settings, planted, seed)
    stream = np.repeat(windows, frame["planted_copies"], axis=0) if planted else windows
    studied = frame["studied"].to_numpy()
    require_studied(studied, settings)
    counted_in = (
        (stream.ravel(), settings.total * np.arange(1, len(stream) + 1))
        if texts.is_training_corpus
        else (tokenized.tokens, tokenized.ends)
    )
    duplicates = count_duplicates(*counted_in, windows[studied, settings.prefix :])
    columns = frame[studied].assign(sequence_duplicates=duplicates)
    if not texts.is_training_corpus:
        columns[["planted", "planted_copies"]] = None
    counts = {
        "documents": len(tokenized.ends),
        "tokens": len(tokenized.tokens),
        "stream_windows": len(stream),
        "sequences": len(columns),
    }
    counts |= unused(tokenized, settings.total) | odd_tokens(tokenizer, tokenized.tokens)
    counts["windows_repeated"] = int(frame["is_repetition"].to_numpy().sum())
    return Corpus(
        sequences=[sequence_table(tokenizer, windows[studied], columns)],
        manifest=pd.DataFrame(reading.manifest),
        about=texts.describe(reading.manifest),
        coverage=coverage(counts, reading, settings),
        counts=counts,
        tokenizer=tokenizer,
        stream=stream,
        documents=None if texts.is_training_corpus else tables_of(tokenized),
    )


def disk_needed(texts: Texts, settings: Sequences) -> int:
    """Bytes: int32 tokens of the corpus (at least two bytes each), and of the stream."""
    corpus = sum(path.stat().st_size for path in texts.files(settings))
    corpus *= 1 if texts.is_training_corpus else 2  # the documents' tokens are kept
    planted = settings.planted.values() if texts.is_training_corpus else []
    repeated = sum(copies * count for rule in planted for copies, count in rule.copies.items())
    windows = settings.background + repeated
    return TOKEN_BYTES * corpus // 2 + TOKEN_BYTES * settings.total * windows


def make_tokenizer(texts: Texts, settings: Sequences, seed: int) -> PreTrainedTokenizerFast:
    """Train a tokenizer on a random part of the corpus, or load the one of a model."""
    choice = settings.tokenizer
    if choice.source == "path":
        return load_tokenizer(Path(choice.path))
    lengths = [len(document.text) for document in read_documents(texts, settings, Reading())]
    is_taken = part_to_train_on(lengths, choice.train_mb, seed)
    again = read_documents(texts, settings, Reading())  # not kept: memory would grow with them
    part = (document.text for document, taken in zip(again, is_taken, strict=True) if taken)
    return train_tokenizer(part, choice.vocabulary)


def require_length(ends: Int[np.ndarray, " d"], length: int) -> None:
    """Raise UserError where no document is as long as a sequence."""
    longest = int(np.diff(ends, prepend=0).max(initial=0))
    if longest < length:
        raise UserError(
            f"the corpus has no document of {length} tokens (the longest has {longest}): a "
            f"sequence is {length} consecutive tokens (sequences.prefix and sequences.suffix)"
        )


def require_studied(studied: Bool[np.ndarray, " w"], settings: Sequences) -> None:
    """Raise UserError where no sequence is to be studied."""
    if not studied.any():
        raise UserError(
            f"sequences.studied = {settings.studied}: no such sequence is in the corpus "
            f"(source: {settings.source}): study some of the kind background"
        )


def sequence_table(
    tokenizer: PreTrainedTokenizerFast, windows: Int[np.ndarray, "n length"], columns: pd.DataFrame
) -> pa.Table:
    """The table of the studied sequences; `text` decodes prefix and suffix."""
    schema = schemas.sequences(windows.shape[1])
    arrays = {
        name: pa.array(columns[name], schema.field(name).type, from_pandas=True)
        for name in schema.names
        if name in columns
    }
    arrays |= {"tokens": token_column(windows), "text": pa.array(decode(tokenizer, windows))}
    return pa.table(arrays, schema=schema)
