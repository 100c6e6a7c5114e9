"""Settings of the stage `features`."""

from typing import Literal

from guess_or_recall.settings.lengths import LengthSettings
from guess_or_recall.settings.section import Section


class Features(Section):
    """The section `features`."""

    is_code: Literal["magika", "fasttext", "off"]
    fasttext: str | None
    templates: Literal["computed", "published"]


class FeaturesSettings(LengthSettings):
    """What the stage `features` reads."""

    features: Features
