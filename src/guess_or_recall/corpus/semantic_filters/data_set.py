"""What the data set `usvsnsp/semantic-filters` is: its splits, rows and columns.

For each model it has a split `pile_deduped_MODEL` (random sequences) and a split
`memories_deduped_MODEL` (all memorized ones), which overlap. Source: "Recite, Reconstruct,
Recollect" (Prashanth et al. 2024).
"""

from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from guess_or_recall.io import schemas
from guess_or_recall.settings.lengths import SEMANTIC_FILTERS

REPOSITORY = "usvsnsp/semantic-filters"
KEY = "sequences.semantic_filters"
PILE = 5_000_000  # rows of each pile split
MEMORIES = {  # rows of the memories splits
    "70m": 411_448,
    "160m": 581_200,
    "410m": 811_040,
    "1b": 1_032_872,
    "1.4b": 1_048_104,
    "2.8b": 1_355_216,
    "6.9b": 1_680_296,
    "12b": 1_871_216,
}
SPLITS = ("pile", "memories")  # in this order the first of equal sequence_ids is kept
LENGTH = SEMANTIC_FILTERS.total  # tokens of a sequence
LARGEST = 2**31 - 1  # token id
PREFIX = "published_"  # of the names under which its values stand in sequences.parquet
PUBLISHED = {field.name.removeprefix(PREFIX): field.type for field in schemas.PUBLISHED}
COLUMNS = {
    "sequence_id": pa.int64(),
    "text": pa.string(),
    "tokens": pa.list_(pa.int64()),
    "sequence_duplicates": pa.int64(),
    **PUBLISHED,
}
MAY_BE_NULL = {"huffman_coding_length", *schemas.PERPLEXITIES}


class DataFile(NamedTuple):
    """A parquet file of the data set, and the place of its first row among those of all files."""

    path: Path
    split: str
    rows: int
    start: int
