"""The attention of chosen sequences as one small file, to study them where the store is not.

An HDF5 file of datasets sequence_id int64 [n], mean and max float16 [n, layers, packed], tokens
int32 [n, length] and label int8 [n], compressed, with checksums; its attributes classes, variant
and provenance (of the store) are JSON. `reading.read_pooled` reads it in the place of the store,
`gallery.read_gallery` in the place of a gallery.
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int8, Int32, Int64

from guess_or_recall.attention.hdf5 import MAKE_SUBSET, created, dataset, opened, write_compressed
from guess_or_recall.attention.reading import read_pooled
from guess_or_recall.attention.store import POOLINGS
from guess_or_recall.errors import UserError

ATTRIBUTES = ("classes", "variant", "provenance")


class Subset(NamedTuple):
    """What a subset says of its sequences, beside their attention."""

    sequence_id: Int64[np.ndarray, " n"]
    tokens: Int32[np.ndarray, "n length"]  # as they are studied; -1 where that is not known
    label: Int8[np.ndarray, " n"]  # a position in `classes`
    classes: list[str]
    variant: str  # name of the variant that the labels are of
    provenance: dict  # of the store that the attention is taken from


def write_subset(path: Path, store: Path, subset: Subset) -> None:
    """Write a subset with the attention of its sequences; the same bytes for the same values.

    Raises:
        UserError: the store cannot be read (see `read_pooled`), or the file not be written.
    """
    with created(path, {name: json.dumps(getattr(subset, name)) for name in ATTRIBUTES}) as file:
        for name in ("sequence_id", "tokens", "label"):
            write_compressed(file, name, getattr(subset, name))
        for name in POOLINGS:
            write_compressed(file, name, read_pooled(store, subset.sequence_id, name))


def read_subset(path: Path) -> Subset:
    """Read all of a subset but its attention.

    Raises:
        UserError: the file is missing, truncated, damaged, or no subset.
    """
    with opened(path, MAKE_SUBSET) as file:
        if not {*ATTRIBUTES} <= {*file.attrs}:
            raise UserError(f"{path} is no subset: `gor subset` makes one")
        arrays = (dataset(file, name)[:] for name in ("sequence_id", "tokens", "label"))
        texts = (np.asarray(file.attrs[name]).tobytes() for name in ATTRIBUTES)
        return Subset(*arrays, *map(json.loads, texts))
