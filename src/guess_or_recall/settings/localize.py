"""Settings of the stage `localize`."""

from typing import Literal

from guess_or_recall.settings.section import Part, Section
from guess_or_recall.settings.values import Count, Seed


class Localize(Section):
    """The section `localize`."""

    sequences: Count
    gradients: Literal["guided", "plain"]
    batch: Count
    bootstrap: Count


class LocalizeSettings(Part):
    """What the stage `localize` reads."""

    seed: Seed
    localize: Localize
