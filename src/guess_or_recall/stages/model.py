"""Train the language model, or point to one: `python src/run.py model`."""

from pathlib import Path

from guess_or_recall.io.files import read_json, write_json
from guess_or_recall.model.make import OUTPUT, point, point_to_hub, train
from guess_or_recall.settings.model import ModelSettings
from guess_or_recall.settings.section import read_settings

MAKE = {"path": point, "hub": point_to_hub, "train": train}


def main() -> None:
    """Write data/model and metrics/model.json."""
    params = read_settings(ModelSettings)
    loss = MAKE[params.model.source](params)
    write_json(Path("metrics/model.json"), read_json(OUTPUT / "model.json") | {"loss": loss})
