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
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool
from tqdm import tqdm

if TYPE_CHECKING:
    from magika import Magika

LATEX_PREAMBLE = "\\usepackage{"


def is_code(texts: Sequence[str]) -> Bool[np.ndarray, " n"]:
    r"""Say which texts are code: magika says so, or they contain `\usepackage{`.

    Some 250 texts a second on two cores. One text a call is magika's fastest way: its batches
    go through files and Python lists, and are three times slower.
    """
    detector = load_detector()
    progress = tqdm(texts, "code", unit=" texts", mininterval=1)
    found = [LATEX_PREAMBLE in text or has_code_label(detector, text) for text in progress]
    return np.array(found, dtype=bool)


def has_code_label(detector: Magika, text: str) -> bool:
    """Ask magika for the content type of one text."""
    return detector.identify_bytes(text.encode()).output.group == "code"


def load_detector() -> Magika:
    """Load magika's model (a quarter of a second, which only those who need it pay)."""
    from magika import Magika, PredictionMode

    return Magika(prediction_mode=PredictionMode.MEDIUM_CONFIDENCE)


def describe_detector() -> dict[str, str]:
    """Name, version, model and mode of the detector."""
    return {
        "name": "magika",
        "version": importlib.metadata.version("magika"),
        "model": load_detector().get_model_name(),
        "mode": "medium confidence",
    }
