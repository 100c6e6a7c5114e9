"""ROUGE, templates and code, from tokens and text alone: `python src/run.py features`."""

from pathlib import Path

from guess_or_recall.features.columns import write_features
from guess_or_recall.io.files import write_json
from guess_or_recall.settings.features import FeaturesSettings
from guess_or_recall.settings.section import read_settings


def main() -> None:
    """Write data/features and metrics/features.json."""
    write_json(
        Path("metrics/features.json"), write_features(read_settings(FeaturesSettings).features)
    )
