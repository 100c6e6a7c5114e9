"""The sequences that variants choose from, with the columns that expressions may name."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from jaxtyping import Int64

from guess_or_recall.errors import UserError
from guess_or_recall.io import paths, schemas
from guess_or_recall.io.schemas import SEQUENCE_ID
from guess_or_recall.io.tables import read_schema, read_table

TABLES = {
    paths.SEQUENCES: schemas.DUPLICATES,
    paths.SCORE: schemas.SCORES,
    paths.FEATURES: schemas.FEATURES,
}


class Population(NamedTuple):
    """What the sample of a variant is drawn from."""

    frame: pd.DataFrame  # candidates()
    pooled: Int64[np.ndarray, " pooled"]  # ids of the sequences whose attention is extracted
    planted: pd.Series  # planted_kinds()


def read_population() -> Population:
    """Read all that labels depend on; UserError where a table is missing or not of this study."""
    pooled = read_table(paths.POOL, SEQUENCE_ID)["sequence_id"].to_numpy()
    return Population(candidates(), pooled, planted_kinds())


def candidates(root: Path = Path()) -> pd.DataFrame:
    """Read what expressions may name: one row for each sequence, sorted by sequence_id.

    Args:
        root: folder of data/.

    Raises:
        UserError: the tables of sequences, score and features are not about the same sequences.
    """
    frames = [
        read_table(root / path, pa.schema([*SEQUENCE_ID, *columns])).to_pandas()
        for path, columns in TABLES.items()
    ]
    frames.append(further_features(root / paths.FEATURES))
    ids = frames[0].pop("sequence_id")
    assert ids.is_monotonic_increasing and ids.is_unique
    for path, frame in zip([*TABLES, paths.FEATURES][1:], frames[1:], strict=True):
        if not frame.pop("sequence_id").equals(ids):
            raise UserError(f"{path} is not about the sequences of {paths.SEQUENCES}: dvc repro")
    return pd.concat([ids, *frames], axis=1)


def further_features(path: Path) -> pd.DataFrame:
    """Read the columns that features.parquet has beyond those that the 20 trees name."""
    further = [
        field
        for field in read_schema(path)
        if field.name not in TABLES[paths.FEATURES].names and is_usable(field.type)
    ]
    columns = {field.name: field for field in [*SEQUENCE_ID, *further]}
    return read_table(path, pa.schema(list(columns.values()))).to_pandas()


def is_usable(kind: pa.DataType) -> bool:
    """Whether an expression may name a column of a type: truth values and numbers."""
    return any(
        check(kind) for check in (pa.types.is_boolean, pa.types.is_floating, pa.types.is_integer)
    )


def planted_kinds() -> pd.Series:
    """Read how every sequence was planted in the training stream; null where that is unknown."""
    return read_table(paths.SEQUENCES, schemas.PLANTED)["planted"].to_pandas()
