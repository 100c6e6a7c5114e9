"""The table of detectors of code: what `features.is_code` names, and what loads it.

A new detector is a file with a function that gives a `Detector`, like `code_magika.py`, and a line
here; its name stands in `settings/features.py`.
"""

from collections.abc import Callable

import numpy as np

from guess_or_recall.features.code_fasttext import fasttext_detector
from guess_or_recall.features.code_magika import magika_detector
from guess_or_recall.features.detector import Detector
from guess_or_recall.settings.features import Features

DETECTORS: dict[str, Callable[[Features], Detector]] = {
    "magika": lambda settings: magika_detector(),
    "fasttext": lambda settings: fasttext_detector(settings.fasttext),
    "off": lambda settings: Detector(lambda texts: np.zeros(len(texts), bool), None),
}
