"""ROUGE, templates and code, from tokens and text alone: `python src/run.py features`."""

from pathlib import Path

from guess_or_recall.features.columns import write_features
from guess_or_recall.io.files import write_json
from guess_or_recall.settings.params import read_params


def main() -> None:
    """Write data/features and metrics/features.json."""
    write_json(Path("metrics/features.json"), write_features(read_params().features))
