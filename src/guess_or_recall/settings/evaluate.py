"""Settings of the stage `evaluate`."""

from guess_or_recall.settings.section import Part, Section
from guess_or_recall.settings.values import Draws, Seed


class Evaluate(Section):
    """The section `evaluate`."""

    bootstrap: Draws


class EvaluateSettings(Part):
    """What the stage `evaluate` reads."""

    seed: Seed
    evaluate: Evaluate
