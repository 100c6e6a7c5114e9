"""The sequence that is asked about: one of the corpus by its id, or the start of a text."""

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int
from transformers import PreTrainedTokenizerBase

from guess_or_recall.corpus.duplicates import count_duplicates
from guess_or_recall.errors import UserError
from guess_or_recall.io import paths, schemas
from guess_or_recall.io.tables import read_table, token_matrix
from guess_or_recall.model.load import model_folder
from guess_or_recall.settings.lengths import Lengths


class Subject(NamedTuple):
    """A sequence that is asked about."""

    name: str  # its id, or `text`
    tokens: Int[np.ndarray, "1 length"]
    duplicates: int | None  # of its suffix in training; None where there is no stream to count in


def tokenizer_folder() -> Path:
    """The tokenizer of the corpus, or the model's own where the sequences came as tokens."""
    return paths.TOKENIZER if paths.TOKENIZER.exists() else model_folder(paths.MODEL)


def look_up(question: str, tokenizer: PreTrainedTokenizerBase, lengths: Lengths) -> Subject:
    """The sequence whose id is asked for, or else the first tokens of a text.

    Raises:
        UserError: no sequence has this id, or the text is too short.
    """
    if question.isdecimal():
        return of_corpus(int(question), lengths)
    return of_text(question, tokenizer, lengths)


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


def of_text(text: str, tokenizer: PreTrainedTokenizerBase, lengths: Lengths) -> Subject:
    """The sequence with which a text begins; UserError where the text is shorter."""
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    if len(ids) < lengths.total:
        raise UserError(
            f"the text has {len(ids)} tokens, {lengths.total} are needed: a prefix of "
            f"{lengths.prefix} and a suffix of {lengths.suffix} (give more of it, or a sequence_id)"
        )
    if len(ids) > lengths.total:
        print(f"note: the first {lengths.total} of {len(ids)} tokens are taken", file=sys.stderr)
    tokens = np.array([ids[: lengths.total]], np.int32)
    return Subject("text", tokens, count_in_stream(tokens, lengths))


def count_in_stream(tokens: Int[np.ndarray, "1 length"], lengths: Lengths) -> int | None:
    """How often the suffix stands in a window of the training stream; None without a stream."""
    if not paths.STREAM.exists():
        return None
    windows = token_matrix(read_table(paths.STREAM, schemas.stream(lengths.total))["tokens"])
    ends = lengths.total * np.arange(1, len(windows) + 1)
    return int(count_duplicates(windows.ravel(), ends, tokens[:, lengths.prefix :])[0])
