"""Train the grid of CNNs on the attention patterns of the current variant.

    python src/run.py train

Makes data/train/: cnns.safetensors, logits.safetensors, history.csv, cnns.json. An interrupted
run is taken up again after the last epoch of each CNN.
"""

from guess_or_recall.attention.reading import read_pooled
from guess_or_recall.classifier.result import Training, origin, trained
from guess_or_recall.io import paths
from guess_or_recall.io.files import publish
from guess_or_recall.settings.section import read_settings
from guess_or_recall.settings.train import TrainSettings
from guess_or_recall.taxonomy.labels import read_labels
from guess_or_recall.tracking.runs import reporting


def main() -> None:
    """Train, and publish data/train."""
    settings, labels = read_settings(TrainSettings).train, read_labels(paths.LABELS)

    def attention() -> dict:
        return {
            pooling: read_pooled(paths.ATTENTION, labels.sequence_ids, pooling)
            for pooling in settings.grid.pooling
        }

    training = Training(settings, labels, origin(paths.LABELS))
    with trained(training, attention, reporting) as result:
        publish(result, paths.TRAIN)
