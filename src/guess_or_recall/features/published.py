"""Templates as the paper's data set publishes them, taken over or compared with the computed."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from guess_or_recall.features.columns import Templates
from guess_or_recall.features.templates import templates
from guess_or_recall.io import schemas

COMPARED = 100  # one sequence in so many, computed and published
NAMES = ("is_incrementing", "is_repeating")
PUBLISHED = schemas.select(schemas.PUBLISHED, *(f"published_{name}" for name in NAMES))


def published_templates(sequences: pa.Table) -> Templates:
    """Which sequences were published as incrementing, and which as repeating."""
    incrementing, repeating = (sequences[name].to_numpy() for name in PUBLISHED.names)
    return incrementing, repeating


def disagreement(parts: Iterable[pa.Table]) -> dict[str, float]:
    """Share of sequences, one in `COMPARED`, whose published templates differ from the computed."""
    differ = []
    for part in parts:
        compared = part.take(np.arange(0, len(part), COMPARED))
        computed = templates(compared["text"].to_pylist())
        differ.append(np.array(published_templates(compared)) != np.array(computed))
    both = np.concatenate(differ, axis=1)
    shares = both.mean(axis=1).round(6).tolist()
    return {"compared": both.shape[1], **dict(zip(NAMES, shares, strict=True))}
