"""How many sequences the declared variants sample."""

from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq

from guess_or_recall.corpus.semantic_filters.data_set import MEMORIES, PILE
from guess_or_recall.io.paths import SEQUENCES
from guess_or_recall.settings.params import Params
from guess_or_recall.taxonomy.candidates import TABLES, candidates
from guess_or_recall.taxonomy.declared import declared
from guess_or_recall.taxonomy.pool import unite
from guess_or_recall.taxonomy.trees import classify, tree


class Needs(NamedTuple):
    """Sequences that the declared variants sample."""

    candidates: int
    union: int  # of the samples: whose attention is extracted
    summed: int  # over the samples
    exact: bool  # counted, rather than the most that there can be
    variants: int


def needs_of(params: Params) -> Needs:
    """Sequences of the variants: counted where features are there, else the most there can be."""
    if all(path.exists() for path in TABLES):
        frame = candidates()
        _, _, report = unite(frame, params)
        union, summed = report["adds"].to_numpy().sum(), report["sequences"].to_numpy().sum()
        return Needs(len(frame), int(union), int(summed), True, len(report))
    most, of_a_class = most_candidates(params), params.samples.train + params.samples.eval
    variants = declared(params)
    summed = sum(of_a_class * len(variant.tree.classes) for variant in variants)
    return Needs(most, min(most, summed), summed, False, len(variants))


def most_candidates(params: Params) -> int:
    """Sequences that there will be, at the most."""
    if SEQUENCES.exists():
        return pq.read_metadata(SEQUENCES).num_rows
    if params.sequences.source == "semantic-filters":
        return PILE + MEMORIES[params.sequences.semantic_filters.model]
    return sum(params.sequences.studied.values())


def current_counts(params: Params) -> dict[str, int]:
    """Candidates of each class of the current variant."""
    current = tree(params.taxonomy, params.taxonomies)
    labels = classify(candidates(), current, **params.thresholds())
    counts = np.bincount(labels, minlength=len(current.classes))
    return dict(zip(current.classes, counts.tolist(), strict=True))
