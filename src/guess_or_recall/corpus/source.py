"""What a source is: texts from which sequences are cut, and what any source gives to the stage."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from jaxtyping import Int
from transformers import PreTrainedTokenizerFast

from guess_or_recall.settings.sequences import Sequences


class Document(NamedTuple):
    """A text that no sequence crosses the boundary of."""

    name: str
    text: str


@dataclass(frozen=True)
class Texts:
    """A source of documents.

    Attributes:
        documents: streams the documents in a fixed order and appends a row of the manifest for
            each file to a list.
        files: the files that hold them.
        is_training_corpus: whether models train on it: then windows may be planted, and
            duplicates are counted in the training stream; else in the documents.
        describe: further entries of corpus.json, from the manifest.
    """

    documents: Callable[[Sequences, list[dict]], Iterator[Document]]
    files: Callable[[Sequences], list[Path]]
    is_training_corpus: bool
    describe: Callable[[list[dict]], dict]


class Corpus(NamedTuple):
    """What a source gives to the stage `sequences`, which writes it.

    Attributes:
        sequences: tables of `schemas.sequences`, one after the other, by ascending sequence_id.
        manifest: a row a file that was read, with its hash.
        about: further entries of corpus.json.
        counts: the stage's metrics.
        tokenizer: None where sequences came as tokens.
        stream: windows of the training stream; None where it is not known.
    """

    sequences: Iterable[pa.Table]
    manifest: pd.DataFrame
    about: dict
    counts: dict[str, int]
    tokenizer: PreTrainedTokenizerFast | None = None
    stream: Int[np.ndarray, "windows length"] | None = None
