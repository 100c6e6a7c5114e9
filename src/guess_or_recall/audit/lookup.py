"""The sequence that is asked about: one of the corpus by its id, or the start of a text."""

import hashlib
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int
from transformers import PreTrainedTokenizerFast

from guess_or_recall.corpus.decoding import plain
from guess_or_recall.corpus.documents import stored
from guess_or_recall.corpus.duplicates import count_duplicates
from guess_or_recall.corpus.encoding import encode
from guess_or_recall.errors import UserError
from guess_or_recall.io import paths, schemas
from guess_or_recall.io.tables import read_table, token_matrix
from guess_or_recall.model.load import model_folder
from guess_or_recall.settings.lengths import Lengths
from guess_or_recall.settings.sequences import SpecialTokens

DIGITS = 18  # of the largest id, an int64


class Subject(NamedTuple):
    """A sequence that is asked about."""

    name: str  # its id, or that of a text (see `name_of`)
    tokens: Int[np.ndarray, "1 length"]
    duplicates: int | None  # of its suffix in training; None where there is no stream to count in


def tokenizer_folder() -> Path:
    """The tokenizer of the corpus, or the model's own where the sequences came as tokens."""
    return paths.TOKENIZER if paths.TOKENIZER.exists() else model_folder(paths.MODEL)


def look_up(
    question: str,
    tokenizer: PreTrainedTokenizerFast,
    lengths: Lengths,
    special_tokens: SpecialTokens = "text",
) -> Subject:
    """The sequence whose id is asked for, or else the first tokens of a text.

    Args:
        question: an id, or a text; digits too many for an id are a text.
        tokenizer: the one of the study.
        lengths: of prefix and suffix.
        special_tokens: as the corpus was encoded.

    Raises:
        UserError: no sequence has this id, or the text is too short.
    """
    if question.isdecimal() and len(question) <= DIGITS:
        return of_corpus(int(question), lengths)
    return of_text(question, tokenizer, lengths, special_tokens)


def of_corpus(sequence_id: int, lengths: Lengths) -> Subject:
    """A sequence of the corpus; UserError where none has the id."""
    columns = "sequence_id", "tokens", "sequence_duplicates"
    schema = schemas.select(schemas.sequences(lengths.total), *columns)
    table = read_table(paths.SEQUENCES, schema)
    ids, counts = (table[name].to_numpy() for name in ("sequence_id", "sequence_duplicates"))
    [rows] = np.nonzero(ids == sequence_id)
    if not len(rows):
        raise UserError(
            f"no sequence has the id {sequence_id}: the {len(ids)} studied have ids such as "
            f"{', '.join(map(str, ids[:3]))} ({paths.SEQUENCES})"
        )
    return Subject(str(sequence_id), token_matrix(table["tokens"])[rows], int(counts[rows[0]]))


def of_text(
    text: str,
    tokenizer: PreTrainedTokenizerFast,
    lengths: Lengths,
    special_tokens: SpecialTokens,
) -> Subject:
    """The sequence with which a text begins; UserError where the text is shorter."""
    [tokens] = encode(tokenizer, [plain(text, Counter())], special_tokens)
    ids = tokens.ids
    if len(ids) < lengths.total:
        raise UserError(
            f"the text has {len(ids)} tokens, {lengths.total} are needed: a prefix of "
            f"{lengths.prefix} and a suffix of {lengths.suffix} (give more of it, or a sequence_id)"
        )
    if len(ids) > lengths.total:
        print(f"note: the first {lengths.total} of {len(ids)} tokens are taken", file=sys.stderr)
    first = ids[None, : lengths.total]
    return Subject(name_of(first), first, count_in_training(first, lengths))


def name_of(tokens: Int[np.ndarray, "1 length"]) -> str:
    """A name for the sequence of a text, and for the files about it: another for each."""
    digest = hashlib.sha256(tokens.astype(np.int64).tobytes()).hexdigest()
    return f"text-{digest[:12]}"


def count_in_training(tokens: Int[np.ndarray, "1 length"], lengths: Lengths) -> int | None:
    """How often the suffix stands where the stage `sequences` counts too; None where it has none.

    That is the documents of a corpus of the user's, and else the windows of the training stream.
    """
    suffixes = tokens[:, lengths.prefix :]
    if paths.DOCUMENTS.exists():
        parts = stored(paths.DOCUMENTS, lengths.suffix)
        return sum(int(count_duplicates(*part, suffixes)[0]) for part in parts)
    if not paths.STREAM.exists():
        return None
    windows = token_matrix(read_table(paths.STREAM, schemas.stream(lengths.total))["tokens"])
    ends = lengths.total * np.arange(1, len(windows) + 1)
    return int(count_duplicates(windows.ravel(), ends, suffixes)[0])
