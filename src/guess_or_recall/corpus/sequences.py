"""Sequences cut from texts: tokenized, chosen, and their duplicates counted."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from jaxtyping import Int
from transformers import PreTrainedTokenizerFast

from guess_or_recall.corpus.duplicates import count_duplicates
from guess_or_recall.corpus.planting import choose
from guess_or_recall.corpus.source import Corpus, Texts
from guess_or_recall.corpus.tokenizer import (
    decode,
    load_tokenizer,
    part_to_train_on,
    tokenize,
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
    manifest: list[dict] = []
    tokenizer = make_tokenizer(texts, settings, seed)
    documents = texts.documents(settings, manifest)
    tokenized = tokenize(tokenizer, documents, folder / "tokens.int32")
    require_length(tokenized.ends, settings.total)
    planted = settings.planted if texts.is_training_corpus else {}
    frame, windows = choose(tokenized, tokenizer, settings, planted, seed)
    stream = np.repeat(windows, frame["planted_copies"], axis=0)
    studied = frame["studied"].to_numpy()
    counted_in = (
        (stream.ravel(), settings.total * np.arange(1, len(stream) + 1))
        if texts.is_training_corpus
        else (tokenized.tokens, tokenized.ends)
    )
    duplicates = count_duplicates(*counted_in, windows[studied, settings.prefix :])
    columns = frame[studied].assign(sequence_duplicates=duplicates)
    if not texts.is_training_corpus:
        columns[["planted", "planted_copies"]] = None
    return Corpus(
        sequences=[sequence_table(tokenizer, windows[studied], columns)],
        manifest=pd.DataFrame(manifest),
        about=texts.describe(manifest),
        counts={
            "documents": len(tokenized.ends),
            "tokens": len(tokenized.tokens),
            "stream_windows": len(stream),
            "sequences": len(columns),
        },
        tokenizer=tokenizer,
        stream=stream,
    )


def disk_needed(texts: Texts, settings: Sequences) -> int:
    """Bytes: int32 tokens of the corpus (at least two bytes each), and of the stream."""
    corpus = sum(path.stat().st_size for path in texts.files(settings))
    planted = settings.planted.values() if texts.is_training_corpus else []
    repeated = sum(copies * count for rule in planted for copies, count in rule.copies.items())
    windows = settings.background + repeated
    return TOKEN_BYTES * corpus // 2 + TOKEN_BYTES * settings.total * windows


def make_tokenizer(texts: Texts, settings: Sequences, seed: int) -> PreTrainedTokenizerFast:
    """Train a tokenizer on a random part of the corpus, or load the one of a model."""
    choice = settings.tokenizer
    if choice.source == "path":
        if choice.path is None:
            raise UserError("sequences.tokenizer.path is empty: name a model's folder")
        return load_tokenizer(Path(choice.path))
    contents = [document.text for document in texts.documents(settings, [])]
    part = part_to_train_on(contents, choice.train_mb, seed)
    return train_tokenizer(part, choice.vocabulary)


def require_length(ends: Int[np.ndarray, " d"], length: int) -> None:
    """Raise UserError where no document is as long as a sequence."""
    longest = int(np.diff(ends, prepend=0).max(initial=0))
    if longest < length:
        raise UserError(
            f"the corpus has no document of {length} tokens (the longest has {longest}): a "
            f"sequence is {length} consecutive tokens (sequences.prefix and sequences.suffix)"
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
