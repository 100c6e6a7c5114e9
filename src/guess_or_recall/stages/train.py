"""Train the grid of CNNs on the attention patterns of the current variant.

    python src/run.py train

Makes data/train/: cnns.safetensors, logits.safetensors, history.csv, cnns.json. An interrupted
run is taken up again after the last epoch of each CNN.
"""

from guess_or_recall.classifier.train import DATA, LABELS, read_attention, trained
from guess_or_recall.io.files import publish
from guess_or_recall.report.runs import reporting
from guess_or_recall.settings.section import read_settings
from guess_or_recall.settings.train import TrainSettings


def main() -> None:
    """Train, and publish data/train."""
    settings = read_settings(TrainSettings).train
    with trained(settings, LABELS, read_attention, reporting) as result:
        publish(result, DATA / "train")
