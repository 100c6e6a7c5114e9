"""Settings of the stage `attention`."""

from guess_or_recall.settings.lengths import LengthSettings
from guess_or_recall.settings.section import Section
from guess_or_recall.settings.values import Batch, Count


class Attention(Section):
    """The section `attention`."""

    batch: Batch
    shard: Count
    gallery: Count


class AttentionSettings(LengthSettings):
    """What the stage `attention` reads."""

    attention: Attention
