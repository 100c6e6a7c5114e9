"""Settings of the stage `figures`."""

from guess_or_recall.settings.lengths import LengthSettings
from guess_or_recall.settings.section import Section
from guess_or_recall.settings.taxonomy import VariantSettings
from guess_or_recall.settings.values import Text


class Figures(Section):
    """The section `figures`."""

    flow_from: Text


class FiguresSettings(LengthSettings, VariantSettings):
    """What the stage `figures` reads."""

    figures: Figures
