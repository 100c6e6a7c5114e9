"""Memorization score and perplexities of every sequence: `python src/run.py score`."""

from pathlib import Path

from guess_or_recall.io.files import write_json
from guess_or_recall.model.score import measure, take_over
from guess_or_recall.settings.score import ScoreSettings
from guess_or_recall.settings.section import read_settings


def main() -> None:
    """Write data/score and metrics/score.json."""
    params = read_settings(ScoreSettings)
    if params.score.source == "published":
        summary = take_over(params.score, params.seed)
    else:
        summary = measure(params.score)
    write_json(Path("metrics/score.json"), summary)
