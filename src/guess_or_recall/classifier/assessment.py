"""How well the CNNs find the classes of a variant: metrics, confusion matrices, predictions."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from jaxtyping import Float32, Int, Int8, Int64

from guess_or_recall.classifier.labelled import Labelled
from guess_or_recall.errors import UserError
from guess_or_recall.io import paths, schemas
from guess_or_recall.io.files import read_json, write_csv, write_json
from guess_or_recall.io.tables import write_table
from guess_or_recall.io.tensors import read_tensors
from guess_or_recall.settings.evaluate import EvaluateSettings
from guess_or_recall.statistics.bootstrap import bootstrap_min_f1
from guess_or_recall.statistics.f1 import (
    confusion_matrix,
    cross_entropy,
    predicted_counts,
    scores,
)

PLOTTED = 40_000  # rows of predictions.csv: one megabyte


class Evaluated(NamedTuple):
    """What every CNN gave for the evaluation sequences after each epoch."""

    cnns: list[str]
    logits: Float32[np.ndarray, "cnn epoch n classes"]
    sequence_ids: Int64[np.ndarray, " n"]
    actual: Int8[np.ndarray, " n"]
    classes: list[str]

    @property
    def last(self) -> Float32[np.ndarray, "cnn n classes"]:
        """Logits after the last epoch."""
        return self.logits[:, -1]

    @property
    def all_epochs(self) -> Float32[np.ndarray, "cnn_epoch n classes"]:
        """Logits after each epoch, each epoch of a CNN as a CNN of its own."""
        return self.logits.reshape(-1, *self.logits.shape[2:])


def assess(folder: Path, labels: Labelled, settings: EvaluateSettings, root: Path) -> dict:
    """Write metrics/evaluate.json and the files of data/evaluate below `root`.

    Args:
        folder: of the trained CNNs, see `result.save`.
        labels: that they were trained for.
        settings: of the stage `evaluate`.
        root: the repository's, or that of one variant of a sweep.

    Returns:
        The metrics.

    Raises:
        UserError: a file is missing, the CNNs were trained for other labels, or diverged.
    """
    evaluated, resamples = read_evaluated(folder, labels), settings.evaluate.bootstrap
    values = metrics(evaluated, resamples, settings.seed)
    write_json(root / paths.metrics_of("evaluate"), values)
    write_csv(root / paths.CONFUSION, confusions(evaluated), schemas.CONFUSION)
    write_csv(root / paths.PLOTTED, plotted(evaluated), schemas.PLOTTED)
    write_table(root / paths.PREDICTIONS, predictions(evaluated))
    write_table(root / paths.VOTES, votes(evaluated))
    return values


def read_evaluated(folder: Path, labels: Labelled) -> Evaluated:
    """Read the logits that the CNNs gave for the evaluation part of their labels.

    Raises:
        UserError: a file is missing, the CNNs were trained for other labels, or diverged.
    """
    described = read_json(folder / paths.CNNS.name, "classes", "grid")
    logits = read_tensors(folder / paths.LOGITS.name, "logits")["logits"]
    classes, is_eval = labels.classes, labels.is_eval
    ids, actual = labels.sequence_ids[is_eval], labels.labels[is_eval]
    if described["classes"] != classes or logits.shape[2] != len(actual):
        raise UserError(
            f"{folder} has {logits.shape[2]} evaluations of {', '.join(described['classes'])}, the "
            f"labels have {len(actual)} of {', '.join(classes)}: dvc repro"
        )
    if not np.isfinite(logits).all():
        raise UserError(
            f"{folder / paths.LOGITS.name} holds values that are no numbers, so the training "
            "diverged: lower train.learning_rate, then dvc repro"
        )
    return Evaluated(list(described["grid"]), logits, ids, actual, classes)


def metrics(evaluated: Evaluated, resamples: int, seed: int) -> dict:
    """All metrics: over CNNs and epochs, over the last epoch, and of the best CNN there."""
    last, actual = evaluated.last, evaluated.actual
    best = best_cnn(last, actual)
    best_alone = summary(last[[best]], actual, resamples, seed)
    last_epoch = summary(last, actual, resamples, seed)
    return {
        **summary(evaluated.all_epochs, actual, resamples, seed),
        # the F1 of an even guess among classes of one size is 1 / classes
        "above_chance": last_epoch["min_f1_low"] > 1 / len(evaluated.classes),
        "last_epoch": last_epoch,
        "best_cnn": {"name": evaluated.cnns[best], **best_alone},
        "per_class": {
            "all": per_class(evaluated.all_epochs, actual, evaluated.classes),
            "last_epoch": per_class(last, actual, evaluated.classes),
        },
        "eval_sequences": len(actual),
    }


def summary(
    logits: Float32[np.ndarray, "cnns n classes"],
    actual: Int[np.ndarray, " n"],
    resamples: int,
    seed: int,
) -> dict[str, float]:
    """Metrics of some CNNs (or CNNs and epochs), as fractions; the loss in nats."""
    classes, predicted = logits.shape[-1], logits.argmax(-1)
    low, high = bootstrap_min_f1(actual, predicted, classes, resamples, seed)
    over_classes = scores(confusion_matrix(actual, predicted, classes)).summary()
    return {
        "min_f1": over_classes.pop("min_f1"),
        "min_f1_low": low,
        "min_f1_high": high,
        **over_classes,
        "eval_loss": float(cross_entropy(logits, actual).mean()),
    }


def best_cnn(last: Float32[np.ndarray, "cnn n classes"], actual: Int8[np.ndarray, " n"]) -> int:
    """The CNN of the highest minimum F1 (chosen on the evaluation part: flattered a little)."""
    minima = [
        scores(confusion_matrix(actual, logits.argmax(-1), logits.shape[-1])).f1.min()
        for logits in last
    ]
    return int(np.argmax(minima))


def per_class(
    logits: Float32[np.ndarray, "cnns n classes"],
    actual: Int8[np.ndarray, " n"],
    classes: list[str],
) -> dict[str, dict[str, float]]:
    """Precision, recall and F1 of each class."""
    of_classes = scores(confusion_matrix(actual, logits.argmax(-1), len(classes)))
    return {
        name: {key: float(getattr(of_classes, key)[i]) for key in ("precision", "recall", "f1")}
        for i, name in enumerate(classes)
    }


def confusions(evaluated: Evaluated) -> pd.DataFrame:
    """Confusion matrices of all epochs and of the last, one row a cell."""
    actual, classes = evaluated.actual, evaluated.classes
    rows = [
        (classes[i], classes[j], count, epoch)
        for epoch, logits in (("all", evaluated.all_epochs), ("last", evaluated.last))
        for (i, j), count in np.ndenumerate(
            confusion_matrix(actual, logits.argmax(-1), len(classes))
        )
    ]
    return pd.DataFrame(rows, columns=[*schemas.CONFUSION])


def plotted(evaluated: Evaluated) -> pd.DataFrame:
    """Predictions at the last epoch, for DVC's confusion plot: of all CNNs, or of the best."""
    last, actual = evaluated.last, evaluated.actual
    if last.shape[0] * last.shape[1] > PLOTTED:
        last = last[[best_cnn(last, actual)]]
    names = np.array(evaluated.classes, object)
    return pd.DataFrame(
        {"actual": names[np.tile(actual, len(last))], "predicted": names[last.argmax(-1).ravel()]}
    )


def predictions(evaluated: Evaluated) -> pa.Table:
    """The class that each CNN took each evaluation sequence for, at the last epoch."""
    names = np.array(evaluated.classes, object)
    predicted = names[evaluated.last.argmax(-1)]
    columns = [evaluated.sequence_ids, names[evaluated.actual], *predicted]
    return pa.table([*map(pa.array, columns)], schema=schemas.predictions(evaluated.cnns))


def votes(evaluated: Evaluated) -> pa.Table:
    """How many CNNs and epochs took each evaluation sequence for each class, by its number."""
    counts = predicted_counts(evaluated.all_epochs.argmax(-1), len(evaluated.classes))
    columns = [evaluated.sequence_ids, evaluated.actual, *counts.T]
    return pa.table([*map(pa.array, columns)], schema=schemas.votes(len(evaluated.classes)))
