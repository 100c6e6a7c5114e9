"""The shapes in signatures are checked in tests (conftest.py): nothing else says that they are."""

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from guess_or_recall.features.rouge import rouge_l


def test_a_wrong_shape_is_refused():
    with pytest.raises(TypeCheckError, match="rouge_l"):
        rouge_l(np.zeros(64, int), 32)
