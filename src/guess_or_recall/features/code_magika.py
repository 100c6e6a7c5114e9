"""Tell code from prose in the text of a sequence, offline, by magika's content-type model.

"Guess or Recall?" uses a fastText model that has to be downloaded; the model of magika comes in
its wheel. A text is code if magika puts it in its group `code`: programming languages, and also
markup and data such as HTML, CSS, JSON, YAML, XML and CSV; TeX, Markdown, reST, diff and TOML are
text to it. Magika's mode "medium confidence" calls prose what it is less than 50% sure of, which
suits snippets far shorter than the files that it was made for. On 200 characters it finds .95 of
Python code and takes .17 of technical prose for code; its best guess, 1.00 and .34
(benchmarks/code_detector.py).
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool
from tqdm import tqdm

from guess_or_recall.features.detector import LATEX_PREAMBLE, Detector

if TYPE_CHECKING:
    from magika import Magika


def magika_detector() -> Detector:
    """Load the detector (a quarter of a second, which only those who need it pay)."""
    from magika import Magika, PredictionMode

    model = Magika(prediction_mode=PredictionMode.MEDIUM_CONFIDENCE)
    description = {
        "name": "magika",
        "version": importlib.metadata.version("magika"),
        "model": model.get_model_name(),
        "mode": "medium confidence",
    }
    return Detector(partial(is_code, model=model), description)


def is_code(texts: Sequence[str], model: Magika) -> Bool[np.ndarray, " n"]:
    r"""Say which texts are code: magika says so, or they contain `\usepackage{`.

    Some 250 texts a second on two cores. One text a call is magika's fastest way: its batches
    go through files and Python lists, and are three times slower.
    """
    progress = tqdm(texts, "code", unit=" texts", mininterval=1)
    answers = [LATEX_PREAMBLE in text or has_code_label(text, model) for text in progress]
    return np.array(answers, dtype=bool)


def has_code_label(text: str, model: Magika) -> bool:
    """Ask magika for the content type of one text."""
    return model.identify_bytes(text.encode()).output.group == "code"
