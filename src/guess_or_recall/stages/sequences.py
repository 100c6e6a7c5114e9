"""Cut, plant and count the sequences of the corpus: `python src/run.py sequences`."""

from pathlib import Path

from guess_or_recall.corpus.sequences import make, take_over
from guess_or_recall.io.files import write_json
from guess_or_recall.settings.section import read_settings
from guess_or_recall.settings.sequences import SequencesSettings


def main() -> None:
    """Write data/sequences and metrics/sequences.json."""
    params = read_settings(SequencesSettings)
    if params.sequences.source == "semantic-filters":
        counts = take_over(params.sequences.semantic_filters)
    else:
        counts = make(params.sequences, params.seed)
    write_json(Path("metrics/sequences.json"), counts)
