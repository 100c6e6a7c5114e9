"""How well the CNNs find the classes of the current variant.

    python src/run.py evaluate

Makes metrics/evaluate.json (fractions, the loss in nats; over all epochs, as the paper sums them,
and over the last one) and data/evaluate/: confusion.csv, predictions.csv, predictions.parquet and
votes.parquet.
"""

from pathlib import Path

from guess_or_recall.classifier.evaluate import DATA, LABELS, assess
from guess_or_recall.settings.evaluate import EvaluateSettings
from guess_or_recall.settings.section import read_settings


def main() -> None:
    """Write the metrics and the predictions."""
    assess(read_settings(EvaluateSettings), DATA / "train", LABELS, Path())
