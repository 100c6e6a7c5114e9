"""Settings of the stage `evaluate`."""

from guess_or_recall.settings.section import Part, Section
from guess_or_recall.settings.values import Count, Seed


class Evaluate(Section):
    """The section `evaluate`."""

    bootstrap: Count


class EvaluateSettings(Part):
    """What the stage `evaluate` reads."""

    seed: Seed
    evaluate: Evaluate
