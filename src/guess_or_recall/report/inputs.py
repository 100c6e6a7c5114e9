"""What the figures are drawn from: tables and arrays of the current variant, read when needed."""

# pandas' stubs take a selected table or column for any of five types
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Int8

from guess_or_recall.attention.gallery import read_gallery
from guess_or_recall.attention.reading import layers_of
from guess_or_recall.errors import UserError
from guess_or_recall.io import paths, schemas
from guess_or_recall.io.files import read_json
from guess_or_recall.io.tables import read_csv
from guess_or_recall.io.tensors import read_tensors
from guess_or_recall.report.flow import Classified
from guess_or_recall.report.tree import condition_text
from guess_or_recall.settings.figures import FiguresSettings
from guess_or_recall.taxonomy.candidates import candidates, planted_kinds
from guess_or_recall.taxonomy.trees import classify, tree


class Localization(NamedTuple):
    """Mean Δ of each class over sequences and CNNs."""

    maps: Float[np.ndarray, "classes layers query key"]
    profile: pd.DataFrame  # a row a class and layer, with its interval
    layers: list[int]  # the model's own numbers


class LabelledGallery(NamedTuple):
    """Attention patterns of a few sequences of each class, with all heads."""

    sequence_ids: Int[np.ndarray, " g"]
    labels: Int8[np.ndarray, " g"]
    attention: Float[np.ndarray, "g layers heads query key"]
    layers: list[int]  # the model's own numbers


@dataclass(frozen=True)
class Inputs:
    """The results of a study; a table about other classes than the current ones is refused."""

    settings: FiguresSettings

    @property
    def prefix(self) -> int:
        """Tokens of a prefix."""
        return self.settings.sequences.prefix

    @cached_property
    def sequences(self) -> pd.DataFrame:
        """What expressions may name, and how it was planted: a row a sequence."""
        return candidates().assign(planted=planted_kinds())

    def classified(self, taxonomy: str) -> Classified:
        """The sequences in the classes of a taxonomy, at the current thresholds."""
        nodes = tree(taxonomy, self.settings.taxonomies)
        labels = classify(self.sequences, nodes, **self.settings.thresholds())
        return Classified(nodes.name, nodes.classes, labels)

    @cached_property
    def current(self) -> Classified:
        """The sequences in the classes of the current variant."""
        return self.classified(self.settings.taxonomy)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the current classes; the first is that of the non-memorized."""
        return self.current.classes

    @property
    def conditions(self) -> list[str]:
        """The conditions of the current classes but the last, in words, in the order of trial."""
        nodes = tree(self.settings.taxonomy, self.settings.taxonomies).nodes
        expressions = ["memorization_score < 1", *(expression for _, expression in nodes)]
        thresholds = self.settings.thresholds()
        return [condition_text(expression, thresholds) for expression in expressions]

    @cached_property
    def gallery(self) -> LabelledGallery:
        """The gallery, in the current classes; UserError where a sequence of it is not studied."""
        sequence_ids, attention, _ = read_gallery(paths.GALLERY)
        studied = self.sequences["sequence_id"].to_numpy()
        labels = labels_of(sequence_ids, studied, self.current.labels)
        return LabelledGallery(sequence_ids, labels, attention, layers_of(paths.GALLERY))

    @cached_property
    def history(self) -> pd.DataFrame:
        """Losses and scores of each CNN, epoch by epoch."""
        return read_csv(paths.HISTORY, schemas.HISTORY)

    @cached_property
    def confusion(self) -> dict[str, Int[np.ndarray, "classes classes"]]:
        """Confusion matrices [actual, predicted] of "all" epochs and of the "last"."""
        return read_confusion(self.classes)

    @cached_property
    def evaluation(self) -> dict:
        """The metrics of the CNNs, and whether they are above chance."""
        return read_json(paths.metrics_of("evaluate"), "last_epoch", "above_chance")

    @cached_property
    def localization(self) -> Localization:
        """Δ of each class."""
        profile = self.of_current_classes(paths.DELTA_PROFILE, schemas.DELTA_PROFILE)
        tensors = read_tensors(paths.DELTA, "delta", "layers")
        return Localization(tensors["delta"], profile, tensors["layers"].tolist())

    @cached_property
    def ablation(self) -> pd.DataFrame:
        """What each class loses by each cut, with intervals."""
        return self.of_current_classes(paths.ABLATION, schemas.ABLATION)

    @cached_property
    def agreement(self) -> pd.DataFrame:
        """Rank correlation of Δ with the damage of the cuts."""
        return read_by_class(paths.AGREEMENT, schemas.AGREEMENT)

    def of_current_classes(self, path: Path, columns: Sequence[str]) -> pd.DataFrame:
        """Read a table with a column of classes; UserError where they are not the current ones."""
        table = read_by_class(path, columns)
        require_classes(path, table["class"].unique().tolist(), self.classes)
        return table


def read_by_class(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Read a table with a column of classes, one of which may be called "NA" or "1"."""
    text = {"class": str, "layers": str}
    return read_csv(path, columns, dtype=text, keep_default_na=False, na_values=[""])


def require_classes(path: Path, names: list[str], classes: tuple[str, ...]) -> None:
    """Raise UserError where results are about other classes than the current taxonomy's."""
    if {*names} != {*classes}:
        raise UserError(
            f"{path} has the classes {', '.join(sorted({*names}))}, the current taxonomy has "
            f"{', '.join(classes)}: dvc repro"
        )


def labels_of(
    shown: Int[np.ndarray, " g"], studied: Int[np.ndarray, " n"], labels: Int8[np.ndarray, " n"]
) -> Int8[np.ndarray, " g"]:
    """Look up the classes of the gallery's sequences by their ids; those `studied` are sorted.

    Raises:
        UserError: one is not studied.
    """
    absent = np.setdiff1d(shown, studied)
    if len(absent):
        raise UserError(
            f"{paths.GALLERY} shows sequence {absent[0]}, which is not studied: dvc repro"
        )
    return labels[np.searchsorted(studied, shown)]


def read_confusion(classes: tuple[str, ...]) -> dict[str, Int[np.ndarray, "classes classes"]]:
    """Read the confusion matrices [actual, predicted] of "all" epochs and of the "last".

    Raises:
        UserError: the file is about other classes than the current taxonomy's.
    """
    # a class may be called "NA" or "1", so all is text first
    table = read_csv(paths.CONFUSION, schemas.CONFUSION, dtype=str, keep_default_na=False)
    table = table.astype({"count": np.int64})
    require_classes(paths.CONFUSION, [*table["actual"], *table["predicted"]], classes)
    crossed = table.pivot_table(
        values="count", index=["epoch", "actual"], columns="predicted", aggfunc="sum", fill_value=0
    )
    return {
        epoch: crossed.loc[epoch].reindex(index=classes, columns=classes, fill_value=0).to_numpy()
        for epoch in ("all", "last")
    }
