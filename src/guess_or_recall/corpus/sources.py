"""The table of sources: what `sequences.source` names, and what makes a corpus of it.

A new source of texts is a file with its `Texts`, like `files.py`, and a line here; its name, and
its settings if it has some, stand in `settings/sequences.py`.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from guess_or_recall.corpus.files import FILES
from guess_or_recall.corpus.packages import PACKAGES
from guess_or_recall.corpus.semantic_filters.source import take_over
from guess_or_recall.corpus.sequences import cut_sequences
from guess_or_recall.corpus.source import Corpus
from guess_or_recall.settings.sequences import Sequences

# from the settings, the seed, and a folder for large files of the meantime
SOURCES: dict[str, Callable[[Sequences, int, Path], Corpus]] = {
    "packages": partial(cut_sequences, PACKAGES),
    "files": partial(cut_sequences, FILES),
    "semantic-filters": take_over,
}
