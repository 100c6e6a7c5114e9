"""How many sequences go through a model at once: by its width, halved where they do not fit."""

from collections.abc import Callable

import torch
from tqdm import tqdm
from transformers import PreTrainedModel

from guess_or_recall.errors import UserError, say_once

FEW = 50  # batches that are done sooner than a GPU's code is compiled
ON_CPU = 32
NUMBERS = 128 * 5120  # of a GPU's batch, a token position: 128 sequences of Pythia-12b's width
MOST = 512


def sequences_at_once(asked: int | str, model: PreTrainedModel) -> int:
    """The batch that params.yaml asks for; `auto` is enough to keep the device busy."""
    if asked != "auto":
        return int(asked)
    if model.device.type == "cpu":
        return ON_CPU
    width = model.config.get_text_config().hidden_size
    return min(1 << max(NUMBERS // width, 1).bit_length() - 1, MOST)


def worth_compiling(model: PreTrainedModel, sequences: int, batch: int) -> bool:
    """Whether so many sequences are worth the minute that compiling a model's blocks takes."""
    whole = not hasattr(model, "hf_device_map")  # one that spans GPUs has hooks between its blocks
    return model.device.type == "cuda" and whole and sequences > FEW * batch


def in_batches(work: Callable[[slice], None], rows: int, batch: int, progress: tqdm) -> None:
    """Call `work` on all rows, at most `batch` at once, half as many where memory is too small.

    Raises:
        UserError: the GPU's memory is too small for one.
    """
    start = 0
    while start < rows:
        part = slice(start, min(start + batch, rows))
        if fits(work, part):
            progress.update(part.stop - start)
            start = part.stop
        else:
            batch = halved(part.stop - start)


def fits(work: Callable[[slice], None], part: slice) -> bool:
    """Do some work; False where the GPU's memory is too small for it."""
    try:
        work(part)
    except torch.OutOfMemoryError:
        pass  # what it had made is free only behind this block
    else:
        return True
    torch.cuda.empty_cache()
    return False


def halved(batch: int) -> int:
    """The batch to go on with where one did not fit; UserError where none is smaller."""
    if batch == 1:
        raise UserError(
            "GPU out of memory with one sequence at a time: free the GPU, or load the model in "
            "float16 or bfloat16 (model.dtype, model.hub.dtype), or one of the hub over several "
            "GPUs (model.hub.device_map: auto)"
        )
    say_once(f"note: GPU out of memory: going on with batches of {batch // 2} sequences")
    return batch // 2
