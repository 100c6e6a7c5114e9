"""How many sequences the declared variants sample: counted in data/ where that is of today's study.

What data/ holds of other parameters or another corpus, by DVC, counts for nothing.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq

from guess_or_recall.corpus.files import corpus_files
from guess_or_recall.corpus.semantic_filters.data_set import MEMORIES, PILE
from guess_or_recall.io.paths import SEQUENCES
from guess_or_recall.settings.params import Params
from guess_or_recall.settings.sequences import Sequences
from guess_or_recall.sweep.experiments import stale
from guess_or_recall.taxonomy.candidates import TABLES, candidates
from guess_or_recall.taxonomy.declared import declared
from guess_or_recall.taxonomy.pool import unite
from guess_or_recall.taxonomy.trees import classify, tree

COUNTED = ("sequences", "model", "score", "features")  # stages by which samples are counted
COMPRESSED = ".parquet"  # ending of files whose texts may be longer than they are


class Needs(NamedTuple):
    """Sequences that the declared variants sample."""

    candidates: int
    union: int  # of the samples: whose attention is extracted
    summed: int  # over the samples
    exact: bool  # counted, rather than the most that there can be
    variants: int
    origin: str = ""  # where the number of candidates is from


def needs_of(params: Params) -> Needs:
    """Sequences of the variants: counted where features are there, else the most there can be."""
    outdated = stale(*COUNTED) if SEQUENCES.exists() else list(COUNTED)
    if not outdated and all(path.exists() for path in TABLES):
        frame = candidates()
        _, _, report = unite(frame, params)
        union, summed = report["adds"].to_numpy().sum(), report["sequences"].to_numpy().sum()
        return Needs(len(frame), int(union), int(summed), True, len(report), "counted in data/")
    if "sequences" not in outdated:
        most, origin = pq.read_metadata(SEQUENCES).num_rows, "counted in data/sequences"
    else:
        most, origin = most_candidates(params.sequences)
        if SEQUENCES.exists():
            origin += "; data/sequences is of other parameters, code or texts: dvc status sequences"
    of_a_class = params.samples.train + params.samples.eval
    variants = declared(params)
    summed = sum(of_a_class * len(variant.tree.classes) for variant in variants)
    return Needs(most, min(most, summed), summed, False, len(variants), origin)


def most_candidates(settings: Sequences) -> tuple[int, str]:
    """Sequences that there will be, at the most, and by what.

    Raises:
        UserError: the corpus cannot be listed.
    """
    if settings.source == "semantic-filters":
        model = settings.semantic_filters.model
        return PILE + MEMORIES[model], f"assumed: the rows of the published splits of {model}"
    background = min(settings.background, settings.studied.get("background", 0))
    if settings.source == "packages":
        planted = {name: sum(rule.copies.values()) for name, rule in settings.planted.items()}
        kinds = [min(settings.studied.get(name, 0), count) for name, count in planted.items()]
        return background + sum(kinds), "assumed: as many as sequences.studied asks for"
    files = [file.path for file in corpus_files(Path(settings.files.path)).files]
    if any(path.suffix.lower() == COMPRESSED for path in files):
        return background, "assumed: sequences.studied.background, if the texts have so many"
    held = sum(path.stat().st_size for path in files) // settings.total
    if held < background:
        return held, f"assumed: a byte a token, in the {len(files):,} files of the corpus"
    return background, "assumed: sequences.studied.background and sequences.background"


def current_counts(params: Params) -> dict[str, int]:
    """Candidates of each class of the current variant."""
    current = tree(params.taxonomy, params.taxonomies)
    labels = classify(candidates(), current, **params.thresholds())
    counts = np.bincount(labels, minlength=len(current.classes))
    return dict(zip(current.classes, counts.tolist(), strict=True))
