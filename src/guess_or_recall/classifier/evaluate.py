"""How well the CNNs find the classes of the current variant.

    python src/run.py evaluate

Makes metrics/evaluate.json (fractions, the loss in nats; over all epochs, as the paper sums them,
and over the last one) and data/evaluate/: confusion.csv, predictions.csv, predictions.parquet and
votes.parquet.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from jaxtyping import Float32, Int, Int8
from safetensors.numpy import load_file

from guess_or_recall.errors import UserError
from guess_or_recall.io.files import atomic, existing, read_json, write_json
from guess_or_recall.io.tables import write_table
from guess_or_recall.settings.evaluate import EvaluateSettings
from guess_or_recall.statistics.bootstrap import bootstrap_min_f1
from guess_or_recall.statistics.f1 import (
    confusion_matrix,
    cross_entropy,
    predicted_counts,
    scores,
)
from guess_or_recall.taxonomy.labels import Labels, read_labels

DATA = Path("data")
LABELS = DATA / "label" / "labels.parquet"
OUTPUT = DATA / "evaluate"
PLOTTED = 40_000  # rows of predictions.csv: one megabyte

Logits = Float32[np.ndarray, "cnn epoch n classes"]


def assess(params: EvaluateSettings, trained: Path, labels_file: Path, root: Path) -> None:
    """Write metrics/evaluate.json and data/evaluate below `root`."""
    names, logits, labels = read_logits(trained, labels_file)
    actual, output = labels.actual, root / OUTPUT
    found = metrics(names, logits, actual, labels.classes, params.evaluate.bootstrap, params.seed)
    write_json(root / "metrics" / "evaluate.json", found)
    write_csv(output / "confusion.csv", confusions(logits, actual, labels.classes))
    write_csv(output / "predictions.csv", plotted(logits, actual, labels.classes))
    write_table(output / "predictions.parquet", predictions(names, logits, labels))
    write_table(output / "votes.parquet", votes(logits, labels))


def read_logits(folder: Path, labels_file: Path) -> tuple[list[str], Logits, Labels]:
    """Read the names of the CNNs, their logits, and the labels that these are about.

    Raises:
        UserError: data/train belongs to other labels.
    """
    labels, cnns = read_labels(labels_file), read_json(folder / "cnns.json")
    logits = load_file(existing(folder / "logits.safetensors"))["logits"]
    if cnns["classes"] != labels.classes or logits.shape[2] != labels.is_eval.sum():
        raise UserError(
            f"{folder} has {logits.shape[2]} evaluations of {', '.join(cnns['classes'])}, the "
            f"labels have {labels.is_eval.sum()} of {', '.join(labels.classes)}: dvc repro"
        )
    return list(cnns["grid"]), logits, labels


def metrics(
    names: list[str],
    logits: Logits,
    actual: Int8[np.ndarray, " n"],
    classes: list[str],
    resamples: int,
    seed: int,
) -> dict:
    """All metrics: over CNNs and epochs, over the last epoch, and of the best CNN there."""
    last = logits[:, -1]
    every = logits.reshape(-1, *logits.shape[2:])
    best = best_cnn(last, actual)
    return {
        **view(every, actual, resamples, seed),
        "last_epoch": view(last, actual, resamples, seed),
        "best_cnn": {"name": names[best], **view(last[[best]], actual, resamples, seed)},
        "per_class": {"all": per_class(every, actual, classes)}
        | {"last_epoch": per_class(last, actual, classes)},
        "eval_sequences": len(actual),
    }


def view(
    logits: Float32[np.ndarray, "cnns n classes"],
    actual: Int[np.ndarray, " n"],
    resamples: int,
    seed: int,
) -> dict[str, float]:
    """All metrics of some CNNs (or CNNs and epochs), as fractions; the loss in nats."""
    classes, predicted = logits.shape[-1], logits.argmax(-1)
    low, high = bootstrap_min_f1(actual, predicted, classes, resamples, seed)
    summary = scores(confusion_matrix(actual, predicted, classes)).summary()
    return {
        "min_f1": summary.pop("min_f1"),
        "min_f1_low": low,
        "min_f1_high": high,
        **summary,
        "eval_loss": float(cross_entropy(logits, actual).mean()),
    }


def best_cnn(last: Float32[np.ndarray, "cnn n classes"], actual: Int8[np.ndarray, " n"]) -> int:
    """The CNN of the highest minimum F1 (chosen on the evaluation part: flattered a little)."""
    found = [
        scores(confusion_matrix(actual, logits.argmax(-1), logits.shape[-1])).f1.min()
        for logits in last
    ]
    return int(np.argmax(found))


def per_class(
    logits: Float32[np.ndarray, "cnn n classes"], actual: Int8[np.ndarray, " n"], classes: list[str]
) -> dict[str, dict[str, float]]:
    """Precision, recall and F1 of each class."""
    found = scores(confusion_matrix(actual, logits.argmax(-1), len(classes)))
    return {
        name: {key: float(getattr(found, key)[i]) for key in ("precision", "recall", "f1")}
        for i, name in enumerate(classes)
    }


def confusions(logits: Logits, actual: Int8[np.ndarray, " n"], classes: list[str]) -> pd.DataFrame:
    """Confusion matrices of all epochs and of the last, one row a cell."""
    predicted = logits.argmax(-1)
    cells = {"all": predicted.reshape(-1, len(actual)), "last": predicted[:, -1]}
    rows = [
        (classes[i], classes[j], count, epoch)
        for epoch, found in cells.items()
        for (i, j), count in np.ndenumerate(confusion_matrix(actual, found, len(classes)))
    ]
    return pd.DataFrame(rows, columns=["actual", "predicted", "count", "epoch"])


def plotted(logits: Logits, actual: Int8[np.ndarray, " n"], classes: list[str]) -> pd.DataFrame:
    """Predictions at the last epoch, for DVC's confusion plot: of all CNNs, or of the best."""
    last = logits[:, -1]
    if last.shape[0] * last.shape[1] > PLOTTED:
        last = last[[best_cnn(last, actual)]]
    names = np.array(classes, object)
    return pd.DataFrame(
        {"actual": names[np.tile(actual, len(last))], "predicted": names[last.argmax(-1).ravel()]}
    )


def predictions(names: list[str], logits: Logits, labels: Labels) -> pa.Table:
    """The class that each CNN gave each evaluation sequence at the last epoch."""
    classes = np.array(labels.classes, object)
    columns = {
        "sequence_id": pa.array(labels.sequence_ids[labels.is_eval]),
        "class_name": pa.array(classes[labels.actual]),
    }
    predicted = classes[logits[:, -1].argmax(-1)]
    return pa.table(columns | {name: pa.array(predicted[i]) for i, name in enumerate(names)})


def votes(logits: Logits, labels: Labels) -> pa.Table:
    """How many CNNs and epochs took each evaluation sequence for each class, by its number."""
    every = logits.reshape(-1, *logits.shape[2:]).argmax(-1)
    counts = predicted_counts(every, len(labels.classes))
    columns = {
        "sequence_id": pa.array(labels.sequence_ids[labels.is_eval]),
        "label": pa.array(labels.actual, pa.int8()),
    }
    named = {f"votes_{i}": pa.array(column, pa.int32()) for i, column in enumerate(counts.T)}
    return pa.table(columns | named)


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    """Write a CSV file, atomically."""
    with atomic(path) as temporary:
        frame.to_csv(temporary, index=False)
