"""The tokens of a corpus's documents: in a file while sequences are cut, and stored for later."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Int
from tqdm import tqdm
from transformers import PreTrainedTokenizerFast

from guess_or_recall.corpus.decoding import plain, whole
from guess_or_recall.corpus.encoding import encode
from guess_or_recall.corpus.source import Document, Reading, Texts
from guess_or_recall.corpus.tokenizer import special_pattern
from guess_or_recall.io import schemas
from guess_or_recall.io.tables import read_parts
from guess_or_recall.settings.sequences import Sequences

PART = 1 << 20  # tokens that are stored together


class TokenizedTexts(NamedTuple):
    """The tokens of all documents, one after the other."""

    tokens: Int[np.ndarray, " n"]
    ends: Int[np.ndarray, " d"]  # where each document ends in `tokens`
    names: list[str]
    ids: list[str | None]  # the user's own names
    places: Int[np.ndarray, " w"]  # the character of its document at which each window begins


def read_documents(texts: Texts, settings: Sequences, reading: Reading) -> Iterator[Document]:
    """The documents of a source with plain texts; every use of a corpus reads it here."""
    for document in texts.documents(settings, reading):
        name = None if document.id is None else whole(document.id)
        yield document._replace(text=plain(document.text, reading.counts), id=name)


def tokenize(
    tokenizer: PreTrainedTokenizerFast,
    documents: Iterator[Document],
    path: Path,
    settings: Sequences,
    counts: Counter[str],
) -> TokenizedTexts:
    """Tokenize documents into the file `path`, so that memory does not grow with the corpus.

    Args:
        tokenizer: the one of the study.
        documents: of `read_documents`.
        path: for the tokens.
        settings: the length of a window, and how special tokens in a text are encoded.
        counts: get how often the text of a special token occurs.
    """
    names, ids, lengths, places = [], [], [], []
    pattern = special_pattern(tokenizer)

    def contents() -> Iterator[str]:
        for document in documents:
            names.append(document.name)
            ids.append(document.id)
            counts["special_tokens_in_text"] += len(pattern.findall(document.text))
            yield document.text

    with open(path, "wb") as stream:
        encoded = encode(tokenizer, contents(), settings.special_tokens, settings.total)
        for tokens in tqdm(encoded, desc="tokenizing", unit=" documents"):
            for part in tokens.parts:
                stream.write(part.data)
            lengths.append(sum(map(len, tokens.parts)))
            places.append(tokens.starts[: lengths[-1] // settings.total])
    tokens = np.memmap(path, np.int32, "r") if sum(lengths) else np.empty(0, np.int32)
    ends = np.cumsum(lengths, dtype=np.int64)
    return TokenizedTexts(tokens, ends, names, ids, np.concatenate([[0][:0], *places]))


def tables_of(texts: TokenizedTexts) -> Iterator[pa.Table]:
    """The tokens of the documents in tables of at most `PART`: a long document has several rows."""
    begins = np.concatenate([[0], texts.ends[:-1]])
    for start in range(0, len(texts.tokens), PART):
        end = min(start + PART, len(texts.tokens))
        rows = np.flatnonzero((texts.ends > start) & (begins < end))
        offsets = np.append(begins[rows].clip(start), end) - start
        tokens = pa.array(np.asarray(texts.tokens[start:end]))
        columns = {"document": pa.array(rows), "tokens": lists(offsets, tokens)}
        yield pa.table(columns, schema=schemas.DOCUMENTS)


def lists(offsets: Int[np.ndarray, " rows"], tokens: pa.Array) -> pa.ListArray:
    """Tokens as lists that begin and end at some offsets."""
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), tokens)


def stored(
    path: Path, length: int
) -> Iterator[tuple[Int[np.ndarray, " n"], Int[np.ndarray, " d"]]]:
    """The stored documents in parts, so that each run of `length` tokens is in just one of them.

    Returns:
        Tokens, and where each document ends in them, part by part; UserError as `read_parts`.
    """
    document, tail = -1, np.empty(0, np.int32)  # of the part before
    for part in read_parts(path, schemas.DOCUMENTS):
        rows, [column] = part["document"].to_numpy(), part["tokens"].chunks
        tokens, ends = column.flatten().to_numpy(), np.cumsum(column.value_lengths().to_numpy())
        if rows[0] == document:  # it goes on: what may begin a run is taken along
            tokens, ends = np.concatenate([tail, tokens]), ends + len(tail)
        yield tokens, ends
        last = tokens[ends[-2] if len(ends) > 1 else 0 :]
        document, tail = rows[-1], last[max(len(last) - length + 1, 0) :]
