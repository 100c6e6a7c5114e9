"""Attention on several GPUs: `python src/run.py extract 1/4` makes one of four parts of the shards.

Each part is a process of its own, on a GPU of its own. `dvc repro attention` takes up what they
have made, makes what is missing, and merges it: the same bytes as one process makes.
"""

import argparse
import re

from guess_or_recall.attention.pool import extract_part
from guess_or_recall.errors import UserError
from guess_or_recall.settings.params import read_params

EPILOG = """\
on one node with four GPUs:
  dvc repro pool
  for i in 1 2 3 4; do CUDA_VISIBLE_DEVICES=$((i-1)) python src/run.py extract $i/4 & done; wait
  dvc repro
"""


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    made = argparse.ArgumentParser(
        prog="python src/run.py extract",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("part", help="which part, of how many: 1/4 to 4/4")
    return made


def main(*arguments: str) -> None:
    """Extract one part.

    Raises:
        UserError: there is no such part, or an earlier stage has not run.
    """
    asked = parser().parse_args(arguments).part
    found = re.fullmatch(r"(\d+)/(\d+)", asked)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise UserError(f"no part '{asked}': give 1/4, 2/4, 3/4 or 4/4 for four GPUs")
    extract_part(read_params().attention, int(found[1]) - 1, int(found[2]))
