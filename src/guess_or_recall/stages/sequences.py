"""Cut, plant and count the sequences of the corpus: `python src/run.py sequences`."""

import shutil

from guess_or_recall.corpus.sources import SOURCES
from guess_or_recall.corpus.written import write
from guess_or_recall.io.files import publish, write_json
from guess_or_recall.io.paths import SEQUENCES_FOLDER, metrics_of
from guess_or_recall.io.scratch import scratch
from guess_or_recall.remarks import of_sequences
from guess_or_recall.settings.section import read_settings
from guess_or_recall.settings.sequences import SequencesSettings


def main() -> None:
    """Write data/sequences and metrics/sequences.json, and say what of the corpus is studied."""
    settings = read_settings(SequencesSettings)
    source = settings.sequences.source
    with scratch("sequences", settings.model_dump()) as folder:
        shutil.rmtree(folder)  # nothing of a killed run is taken up
        folder.mkdir()
        corpus = SOURCES[source](settings.sequences, settings.seed, folder)
        write(corpus, source, folder / SEQUENCES_FOLDER.name)
        publish(folder / SEQUENCES_FOLDER.name, SEQUENCES_FOLDER)
    write_json(metrics_of("sequences"), corpus.counts)
    print("\n".join(of_sequences(corpus.coverage)))
