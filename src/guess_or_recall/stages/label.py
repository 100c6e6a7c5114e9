"""Classes of one variant, and its training and evaluation parts: `python src/run.py label`."""

from pathlib import Path

from guess_or_recall.io.files import write_json
from guess_or_recall.io.tables import write_table
from guess_or_recall.settings.section import read_settings
from guess_or_recall.settings.taxonomy import LabelSettings
from guess_or_recall.taxonomy.label import labelled
from guess_or_recall.taxonomy.pool import candidates


def main() -> None:
    """Write data/label/labels.parquet and metrics/label.json."""
    table, counts = labelled(read_settings(LabelSettings), candidates())
    write_table(Path("data/label/labels.parquet"), table)
    write_json(Path("metrics/label.json"), counts)
