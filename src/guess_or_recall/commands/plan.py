"""Say what the current params.yaml will take, before it runs: `gor plan`.

Sequences, bytes, memory, and time from a trial of a minute on the present device (with random
weights: nothing is downloaded but a config.json), beside what the published method needs. Exact
once `dvc repro features` has run; before, the sequences are the most that they can be. It ends
with an error where the disk is too small.

Behind the number of candidates stands whether it is counted or assumed. What data/ holds of other
parameters, code or texts is not counted.
"""

from typing import Annotated

import torch
import typer

from guess_or_recall.commands._console import plain_console
from guess_or_recall.device import device
from guess_or_recall.plan.calibrate import MARGIN, calibrate, room_on
from guess_or_recall.plan.describe import lines_of, memory_line, size_table, time_table
from guess_or_recall.plan.needs import needs_of
from guess_or_recall.plan.shape import config_of, dtype_of, random_model, shape_of
from guess_or_recall.plan.sizes import bytes_of, bytes_of_all_heads, require_disk
from guess_or_recall.plan.times import loads_of_stages, measured_cnn_rate
from guess_or_recall.settings.ablate import require_windows
from guess_or_recall.settings.params import read_params


def main(
    no_trial: Annotated[bool, typer.Option("--no-trial", help="sizes alone, no times")] = False,
) -> None:
    """Print the plan.

    Raises:
        UserError: the model cannot be found or has fewer layers than are to be cut, or the disk
            cannot hold what will be made.
    """
    params, console = read_params(), plain_console(soft_wrap=True)
    config, dtype = config_of(params), getattr(torch, dtype_of(params))
    shape, needs = shape_of(config), needs_of(params)
    require_windows(params.ablate.cuts, shape.layers)
    weights = shape.parameters * dtype.itemsize
    for line in lines_of(params, shape, needs):
        console.print(line)
    measured, loads = None, []
    room = room_on(device())
    if not no_trial and weights * MARGIN < room:
        model = random_model(config, dtype, device())
        measured = calibrate(model, params.sequences, params.attention.batch)
        loads = loads_of_stages(params, needs, measured, measured_cnn_rate(params, shape.layers))
    sizes = bytes_of(params, shape, needs, weights)
    console.print(memory_line(weights, measured, room))
    published = needs.summed * bytes_of_all_heads(shape, params.sequences.total)
    console.print(size_table(sizes, published))
    if loads:
        console.print(time_table(loads))
    require_disk(sizes)
