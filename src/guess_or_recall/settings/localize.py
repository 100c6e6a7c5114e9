"""Settings of the stage `localize`."""

from typing import Literal

from guess_or_recall.settings.section import Part, Section
from guess_or_recall.settings.values import Draws, Rows, Seed, Together


class Localize(Section):
    """The section `localize`."""

    sequences: Rows
    gradients: Literal["guided", "plain"]
    batch: Together
    bootstrap: Draws


class LocalizeSettings(Part):
    """What the stage `localize` reads."""

    seed: Seed
    localize: Localize
