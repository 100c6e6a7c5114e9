"""Choose sequences of the pool by class, id or gallery, with their tokens as they are studied."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Int32, Int64

from guess_or_recall.attention.studied import Studied
from guess_or_recall.errors import UserError
from guess_or_recall.io.paths import LABELS, POOL
from guess_or_recall.localization.choice import LOCALIZED, chosen
from guess_or_recall.model.scoring import UNKNOWN
from guess_or_recall.settings.params import Params
from guess_or_recall.taxonomy.candidates import candidates
from guess_or_recall.taxonomy.labels import Labels, read_labels
from guess_or_recall.taxonomy.trees import TaxonomyTree, classify


class OfClasses(NamedTuple):
    """Sequences that the current variant samples."""

    names: list[str]  # of classes
    per_class: int  # sequences of a class, at the most
    part: str | None


def classified(params: Params, current: TaxonomyTree) -> pd.Series:
    """The class of every sequence under the current variant, sampled or not, by its id."""
    frame = candidates()
    return pd.Series(classify(frame, current, **params.thresholds()), frame["sequence_id"])


def checked(choice: list[int], classes: list[str], pool: Studied) -> Int64[np.ndarray, " n"]:
    """The ids that are chosen, sorted, each of them once.

    Raises:
        UserError: nothing is chosen, or a sequence that is not in the pool.
    """
    if not choice:
        raise UserError(
            f"nothing is chosen: give --class (of {', '.join(classes)}), --every-class, --id or "
            "--gallery"
        )
    if absent := sorted({*choice} - {*pool.sequence_ids.tolist()}):
        raise UserError(
            f"sequence {absent[0]} is not in the pool: its {len(pool.sequence_ids):,} have ids "
            f"such as {', '.join(map(str, pool.sequence_ids[:3]))} ({POOL})"
        )
    return np.unique(np.array(choice, np.int64))


def sampled_ids(
    choice: OfClasses, seed: int, labels: pd.Series, classes: list[str]
) -> Int64[np.ndarray, " k"]:
    """The ids of some sequences of the chosen classes, those of lowest priority.

    Raises:
        UserError: there is no such class, none of each are asked for, or see `read_current`.
    """
    if unknown := [name for name in choice.names if name not in classes]:
        raise UserError(
            f"--class {unknown[0]}: the current variant has the classes {', '.join(classes)}"
        )
    if choice.per_class < 1:
        raise UserError(f"--each {choice.per_class}: give 1 or more")
    sampled = read_current(labels, classes)
    among = np.isin(sampled.labels, [classes.index(name) for name in choice.names])
    if choice.part:
        among &= sampled.is_eval == (choice.part == "eval")
    return sampled.sequence_ids[chosen(sampled, among, choice.per_class, seed, LOCALIZED)]


def read_current(labels: pd.Series, classes: list[str]) -> Labels:
    """The sample of the current variant; UserError where it is of another one."""
    sampled = read_labels(LABELS)
    current = labels.reindex(sampled.sequence_ids, fill_value=-1)
    if sampled.classes != classes or not np.array_equal(current, sampled.labels):
        raise UserError(f"{LABELS} is of another variant than params.yaml: dvc repro label")
    return sampled


def studied(
    pool: Studied, ids: Int64[np.ndarray, " n"], prefix: int
) -> Int32[np.ndarray, "n length"]:
    """Tokens of some sequences as they are studied, -1 where the model's own are in no table."""
    rows = np.searchsorted(pool.sequence_ids, ids)
    tokens = pool.tokens[rows]
    tokens[pool.unfinished[rows], prefix:] = UNKNOWN
    return tokens
