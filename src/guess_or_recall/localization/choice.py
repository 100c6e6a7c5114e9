"""Which sequences are looked at: some of each class, the same ones for the same seed."""

import numpy as np
from jaxtyping import Bool, Int64

from guess_or_recall.taxonomy.labels import Labels
from guess_or_recall.taxonomy.sampling import priorities, sample

# streams of random priorities, independent of those of the sample and of its parts (0 and 1)
LOCALIZED = 2
ABLATED = 3


def chosen(
    labels: Labels, among: Bool[np.ndarray, " n"], most: int, seed: int, stream: int
) -> Int64[np.ndarray, " chosen"]:
    """Choose rows of the sample at random.

    Args:
        labels: of the sample.
        among: the rows that may be chosen.
        most: rows of a class; all of a class that has fewer.
        seed: of the priorities.
        stream: `LOCALIZED` or `ABLATED`.
    """
    rows = np.flatnonzero(among)
    order = priorities(labels.sequence_ids[rows], seed, stream)
    return rows[sample(labels.labels[rows], order, most)]
