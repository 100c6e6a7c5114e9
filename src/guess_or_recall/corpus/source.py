"""What a source is: texts from which sequences are cut, and what any source gives to the stage."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from jaxtyping import Int
from transformers import PreTrainedTokenizerFast

from guess_or_recall.settings.sequences import Sequences


class Document(NamedTuple):
    """A text that no sequence crosses the boundary of.

    Attributes:
        name: the file below the corpus's folder, and `:line` or `:row` where it holds several.
        text: all of it.
        id: the user's own name of it.
    """

    name: str
    text: str
    id: str | None = None


@dataclass
class Reading:
    """What has been met so far while the documents of a source are read.

    Attributes:
        manifest: a row a file that was read, with its hash.
        skipped: file and reason of each that was not.
        counts: of documents, by what was met in them.
    """

    manifest: list[dict] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Texts:
    """A source of documents.

    Attributes:
        documents: streams the documents in a fixed order, and notes what is met.
        files: the files that hold them.
        is_training_corpus: whether models train on it: then windows may be planted, and
            duplicates are counted in the training stream; else in the documents.
        describe: further entries of corpus.json, from the manifest.
    """

    documents: Callable[[Sequences, Reading], Iterator[Document]]
    files: Callable[[Sequences], list[Path]]
    is_training_corpus: bool
    describe: Callable[[list[dict]], dict]


class Corpus(NamedTuple):
    """What a source gives to the stage `sequences`, which writes it.

    Attributes:
        sequences: tables of `schemas.sequences`, one after the other, by ascending sequence_id.
        manifest: a row a file that was read, with its hash.
        about: further entries of corpus.json.
        coverage: of coverage.json: what is read and studied, and what not.
        counts: the stage's metrics.
        tokenizer: None where sequences came as tokens.
        stream: windows of the training stream; None where it is not known.
        documents: tables of `schemas.DOCUMENTS`, where duplicates are counted in the documents.
    """

    sequences: Iterable[pa.Table]
    manifest: pd.DataFrame
    about: dict
    coverage: dict
    counts: dict[str, int]
    tokenizer: PreTrainedTokenizerFast | None = None
    stream: Int[np.ndarray, "windows length"] | None = None
    documents: Iterable[pa.Table] | None = None
