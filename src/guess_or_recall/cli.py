"""The programs `guess-or-recall` and `gor` of an installation: what `python src/run.py` does."""

from run import main

__all__ = ["main"]
