"""How well the CNNs find the classes of the current variant.

    python src/run.py evaluate

Makes metrics/evaluate.json (fractions, the loss in nats; over all epochs, as the paper sums them,
and over the last one) and data/evaluate/: confusion.csv, predictions.csv, predictions.parquet and
votes.parquet.
"""

from pathlib import Path

from guess_or_recall.classifier.assessment import assess
from guess_or_recall.errors import say_all
from guess_or_recall.io import paths
from guess_or_recall.remarks import of_evaluation
from guess_or_recall.settings.evaluate import EvaluateSettings
from guess_or_recall.settings.section import read_settings
from guess_or_recall.taxonomy.labels import read_labels


def main() -> None:
    """Write the metrics and the predictions."""
    settings, labels = read_settings(EvaluateSettings), read_labels(paths.LABELS)
    metrics = assess(paths.TRAIN, labels, settings, Path())
    say_all(of_evaluation(metrics))
