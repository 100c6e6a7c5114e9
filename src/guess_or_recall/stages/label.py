"""Classes of one variant, and its training and evaluation parts: `python src/run.py label`."""

from guess_or_recall.errors import say_all
from guess_or_recall.io import paths
from guess_or_recall.io.files import write_json
from guess_or_recall.io.tables import write_table
from guess_or_recall.remarks import of_label
from guess_or_recall.settings.section import read_settings
from guess_or_recall.settings.taxonomy import LabelSettings
from guess_or_recall.taxonomy.candidates import read_population
from guess_or_recall.taxonomy.labelling import labelled


def main() -> None:
    """Write data/label/labels.parquet and metrics/label.json."""
    settings = read_settings(LabelSettings)
    table, counts = labelled(settings, read_population())
    say_all(of_label(counts, settings.samples.train, settings.samples.eval))
    write_table(paths.LABELS, table)
    write_json(paths.metrics_of("label"), counts)
