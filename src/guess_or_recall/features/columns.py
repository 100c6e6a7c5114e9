"""The table of feature columns: their names, and what computes each.

A new column is a file with a function from tokens or texts to an array of numbers or of truth
values, and a line here. It is at once in features.parquet, in what the expressions of a taxonomy
may name, and in what `gor sequence` shows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float64, Int

from guess_or_recall.features.detector import Detector
from guess_or_recall.features.rouge import rouge_3, rouge_l
from guess_or_recall.features.templates import templates
from guess_or_recall.io import schemas
from guess_or_recall.io.tables import token_matrix

Templates = tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " n"]]


@dataclass(frozen=True)
class Batch:
    """Some sequences, and what their features are computed with.

    Attributes:
        tokens: prefix and suffix of each, as in the corpus, not as a model continues them.
        texts: what the tokens decode to.
        prefix: how many of the tokens are the prefix.
        detector: tells code from prose.
        published: templates that are taken over instead of computed.
    """

    tokens: Int[np.ndarray, "n length"]
    texts: Sequence[str]
    prefix: int
    detector: Detector
    published: Templates | None = None

    @cached_property
    def templates(self) -> Templates:
        """Which sequences are incrementing, and which repeating."""
        return self.published or templates(self.texts)


COLUMNS: dict[str, Callable[[Batch], Float64[np.ndarray, " n"] | Bool[np.ndarray, " n"]]] = {
    "rouge_3": lambda batch: rouge_3(batch.tokens, batch.prefix),
    "rouge_l": lambda batch: rouge_l(batch.tokens, batch.prefix),
    "is_incrementing": lambda batch: batch.templates[0],
    "is_repeating": lambda batch: batch.templates[1],
    "is_code": lambda batch: batch.detector.is_code(batch.texts),
}


def features(
    sequences: pa.Table, prefix: int, detector: Detector, published: Templates | None = None
) -> pa.Table:
    """Every column of every sequence, in the order of the sequences.

    Args:
        sequences: with the columns sequence_id, tokens and text.
        prefix: number of prefix tokens.
        detector: of code.
        published: templates that are taken over instead of computed.
    """
    tokens, texts = token_matrix(sequences["tokens"]), sequences["text"].to_pylist()
    batch = Batch(tokens, texts, prefix, detector, published)
    columns = {name: compute(batch) for name, compute in COLUMNS.items()}
    schema = schemas.features(columns)
    return pa.table({"sequence_id": sequences["sequence_id"], **columns}, schema=schema)


def summary(table: pa.Table) -> dict:
    """Mean of every column of numbers; count and share of the sequences of every other."""
    columns = {name: table[name].to_numpy() for name in COLUMNS}
    means = {name: round(float(values.mean()), 6) for name, values in columns.items()}
    flags = [name for name, values in columns.items() if values.dtype == bool]
    return {
        "sequences": table.num_rows,
        **{f"mean_{name}": mean for name, mean in means.items() if name not in flags},
        **{name: {"sequences": int(columns[name].sum()), "share": means[name]} for name in flags},
    }
