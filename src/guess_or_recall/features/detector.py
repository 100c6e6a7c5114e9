"""What a detector of code is."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

LATEX_PREAMBLE = "\\usepackage{"  # a text that contains it is code, whatever a detector says


class Detector(NamedTuple):
    """Tells code from prose.

    Attributes:
        is_code: says which texts are code.
        description: name, version and model, for the metrics; None where nothing is detected.
    """

    is_code: Callable[[Sequence[str]], Bool[np.ndarray, " n"]]
    description: dict[str, str] | None
