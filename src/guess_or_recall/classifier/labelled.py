"""The sequences of a variant with their classes, wherever they come from."""

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int8, Int64


@runtime_checkable
class Labelled(Protocol):
    """Classes and parts of some sequences, in one order."""

    @property
    def sequence_ids(self) -> Int64[np.ndarray, " n"]:
        """Their numbers."""
        ...

    @property
    def labels(self) -> Int8[np.ndarray, " n"]:
        """Their classes, from 0."""
        ...

    @property
    def is_eval(self) -> Bool[np.ndarray, " n"]:
        """Whether each is for evaluation, not for training."""
        ...

    @property
    def classes(self) -> list[str]:
        """Names of the classes."""
        ...
