"""Say what a reader must know of this study: `gor notes`.

What of the corpus was studied, what is unusual about the model and its attention, which variants
and classes have too few sequences, and whether the CNNs are above chance. The stages say it when
they run; this command reads it from data/ and metrics/, also where DVC had a stage in its cache.
"""

import sys

from guess_or_recall.errors import UserError
from guess_or_recall.report.notes import NOTES, notes_of


def main() -> None:
    """Print the notes on the stages, in their order; a stage that has not run has none.

    Raises:
        UserError: a file is damaged, or nothing was run yet.
    """
    for path in NOTES:
        if not path.exists():
            print(f"({path} is not here: no notes on it)", file=sys.stderr)
            continue
        for line in notes_of(path):
            print(line)
    if not any(path.exists() for path in NOTES):
        raise UserError("nothing was run here: `make repro`, or `dvc pull` (docs/sharing.md)")
