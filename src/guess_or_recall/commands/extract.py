"""Extract one part of the attention, on a GPU of its own: `gor extract 1/4`.

Each part is a process of its own. `dvc repro attention` takes up what they have made, makes what is
missing, and merges it: the same bytes as one process makes. On one node with four GPUs:

    dvc repro pool
    for i in 1 2 3 4; do CUDA_VISIBLE_DEVICES=$((i-1)) gor extract $i/4 & done; wait
    dvc repro
"""

import re
from typing import Annotated

import typer

from guess_or_recall.attention.extract import Shards, extract
from guess_or_recall.attention.work import working
from guess_or_recall.errors import UserError
from guess_or_recall.settings.params import read_params


def main(
    part: Annotated[str, typer.Argument(help="which part, of how many: 1/4 to 4/4")],
) -> None:
    """Extract one part; others may be extracted at the same time.

    Raises:
        UserError: there is no such part, or an earlier stage has not run.
    """
    numbers = re.fullmatch(r"(\d+)/(\d+)", part)
    if not numbers or not 1 <= int(numbers[1]) <= int(numbers[2]):
        raise UserError(f"no part '{part}': give 1/4, 2/4, 3/4 or 4/4 for four GPUs")
    settings, place = read_params(), (int(numbers[1]) - 1, int(numbers[2]))
    with working(settings, shared=True) as work:
        shards = Shards(work.folder / "attention", settings.attention.shard, work.provenance)
        extract(work.model, work.sequence_ids, work.tokens, shards, work.batch, place)
