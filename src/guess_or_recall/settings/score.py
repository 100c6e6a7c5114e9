"""Settings of the stage `score`."""

from typing import Literal

from guess_or_recall.settings.lengths import LengthSettings
from guess_or_recall.settings.section import Section
from guess_or_recall.settings.values import Batch, Rows, Seed


class Score(Section):
    """The section `score`."""

    source: Literal["model", "published"]
    recheck: Rows
    decode: Literal["all", "pool"]
    batch: Batch
    decode_batch: Batch
    shard: Rows


class ScoreSettings(LengthSettings):
    """What the stage `score` reads."""

    seed: Seed
    score: Score
