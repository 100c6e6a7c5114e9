"""Settings of the stage `features`."""

from typing import Literal

from guess_or_recall.settings.lengths import LengthSettings
from guess_or_recall.settings.section import Section
from guess_or_recall.settings.values import Text


class FastText(Section):
    """The model of the published study, of the hub or in a folder."""

    source: Literal["hub", "path"]
    path: Text
    revision: Text


class Features(Section):
    """The section `features`."""

    is_code: Literal["magika", "fasttext", "off"]
    fasttext: FastText
    templates: Literal["computed", "published"]


class FeaturesSettings(LengthSettings):
    """What the stage `features` reads."""

    features: Features
