"""Settings of the stage `attention`."""

from guess_or_recall.settings.lengths import LengthSettings
from guess_or_recall.settings.section import Section
from guess_or_recall.settings.values import Batch, Rows, Together


class Attention(Section):
    """The section `attention`."""

    batch: Batch
    shard: Rows
    gallery: Together


class AttentionSettings(LengthSettings):
    """What the stage `attention` reads."""

    attention: Attention
