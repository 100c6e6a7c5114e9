"""The table of detectors of code: what `features.is_code` names, and what loads it.

A new detector is a file with a function that gives a `Detector`, like `code_magika.py`, and a line
here; its name stands in `settings/features.py`.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from guess_or_recall.features.code_fasttext import fasttext_detector
from guess_or_recall.features.code_magika import magika_detector
from guess_or_recall.features.detector import Detector


class Chosen(Protocol):
    """What of the section `features` a detector may need."""

    @property
    def fasttext(self) -> str | None:
        """File of fastText's model, or none for that of the hub."""
        ...


DETECTORS: dict[str, Callable[[Chosen], Detector]] = {
    "magika": lambda settings: magika_detector(),
    "fasttext": lambda settings: fasttext_detector(settings.fasttext),
    "off": lambda settings: Detector(lambda texts: np.zeros(len(texts), bool), None),
}
