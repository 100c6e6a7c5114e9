"""Find what a language model memorizes verbatim, tell guessing from recall, and see where.

    >>> import guess_or_recall
    >>> study = guess_or_recall.Study(".")
    >>> study.labels()

`Study` reads the results of a study; the command line is `gor`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guess_or_recall.study import Study

__all__ = ["Study"]


def __getattr__(name: str) -> type["Study"]:
    """Import `Study` when it is asked for: the program `gor` needs none of what it reads with."""
    if name not in __all__:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    from guess_or_recall.study import Study

    return Study
