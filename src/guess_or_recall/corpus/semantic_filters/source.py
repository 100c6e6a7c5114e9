"""The source `semantic-filters`: sequences of the Pile and what Pythia made of them."""

from pathlib import Path

import numpy as np
from jaxtyping import Int

from guess_or_recall.corpus.semantic_filters.data_set import SPLITS, DataFile
from guess_or_recall.corpus.semantic_filters.files import find_files, find_folder, listing
from guess_or_recall.corpus.semantic_filters.union import first_of_ids, sorted_union
from guess_or_recall.corpus.source import Corpus
from guess_or_recall.io.files import require_disk
from guess_or_recall.settings.sequences import Sequences

ROW_BYTES = 1500  # of a row, as sorted part and in the result: tokens twice, text twice


def take_over(settings: Sequences, seed: int, folder: Path) -> Corpus:
    """The sequences of the data set, all of them candidates, each `sequence_id` once.

    Of equal ids the first row of the files is kept, the pile's before the memories'.

    Args:
        settings: the section `sequences`.
        seed: of nothing here.
        folder: for sorted parts.

    Raises:
        UserError: files are missing or do not fit, or the disk is too small.
    """
    choice = settings.semantic_filters
    data_folder, provenance = find_folder(choice)
    files = find_files(data_folder, choice.model)
    ranks = first_of_ids(files)
    counts = count_rows(files, ranks)
    require_disk(folder, counts["sequences"] * ROW_BYTES)
    return Corpus(
        sequences=sorted_union(files, ranks, folder),
        manifest=listing(files, data_folder),
        about={**provenance, "model": choice.model, **counts},
        coverage={
            **counts,
            "statement": [
                f"all {counts['sequences']:,} sequences of the {choice.model} splits are studied",
                f"{counts['duplicates_dropped']:,} rows repeat a sequence_id and are left out",
            ],
        },
        counts=counts,
    )


def count_rows(files: list[DataFile], ranks: Int[np.ndarray, " rows"]) -> dict[str, int]:
    """Rows of each split, rows whose sequence_id an earlier one has, and sequences."""
    counts = {split: sum(file.rows for file in files if file.split == split) for split in SPLITS}
    dropped = int((ranks < 0).sum())
    return counts | {"duplicates_dropped": dropped, "sequences": len(ranks) - dropped}
