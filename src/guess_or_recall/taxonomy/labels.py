"""The labels of the sample, read back as arrays."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int8, Int64

from guess_or_recall.errors import UserError
from guess_or_recall.io import schemas
from guess_or_recall.io.tables import read_table


class Labels(NamedTuple):
    """labels.parquet as arrays, in its order."""

    sequence_ids: Int64[np.ndarray, " n"]
    labels: Int8[np.ndarray, " n"]
    is_eval: Bool[np.ndarray, " n"]
    classes: list[str]


def read_labels(path: Path) -> Labels:
    """Read the classes of the sample.

    Raises:
        UserError: a class has no sequence to train on, or none to evaluate on.
    """
    table = read_table(path, schemas.LABELS)
    ids, labels = table["sequence_id"].to_numpy(), table["label"].to_numpy()
    names = dict(zip(labels.tolist(), table["class_name"].to_pylist(), strict=True))
    if not names or sorted(names) != list(range(max(names) + 1)):
        raise UserError(
            f"{path} has the classes {sorted(names)}, but all from 0 on must have sequences: "
            "choose another taxonomy, rho or delta"
        )
    classes = [names[label] for label in sorted(names)]
    is_eval = np.array(table["part"].to_pylist()) == "eval"
    check_parts(path, labels, is_eval, classes)
    return Labels(ids, labels, is_eval, classes)


def check_parts(path: Path, labels: np.ndarray, is_eval: np.ndarray, classes: list[str]) -> None:
    """Raise UserError where a class has nothing in one of the parts."""
    for part, members in (("train", ~is_eval), ("eval", is_eval)):
        counts = np.bincount(labels[members], minlength=len(classes))
        if not counts.all():
            raise UserError(
                f"{path}: class '{classes[counts.argmin()]}' has no sequence in the part '{part}': "
                f"choose another taxonomy, rho or delta, or a larger samples.{part}"
            )
