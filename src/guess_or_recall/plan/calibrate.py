"""What a model of some shape takes on the present device: a short trial with random weights."""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import psutil
import torch
from tqdm import tqdm
from transformers import PreTrainedModel

from guess_or_recall.attention.extract import pool_shard
from guess_or_recall.attention.pooling import observing, pool_heads
from guess_or_recall.model.batches import sequences_at_once
from guess_or_recall.model.interface import attention_modules
from guess_or_recall.model.scoring import continuations, forward_passes
from guess_or_recall.settings.lengths import Lengths

MARGIN = 1.15  # of the weights: what a model takes beside them


class Trial(NamedTuple):
    """Sequences a second of each kind of work, and bytes of memory at the most."""

    forward: float
    decode: float
    attention: float
    published: float
    memory: int
    batch: int


def room_on(device: torch.device) -> int:
    """Free bytes of a device's memory."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return psutil.virtual_memory().available


def rate(work: Callable[[], object], sequences: int, device: torch.device) -> float:
    """Sequences a second, after a first time that is not counted."""
    work()
    begun = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return sequences / (time.perf_counter() - begun)


def calibrate(model: PreTrainedModel, lengths: Lengths, batch: int | str, few: int = 4) -> Trial:
    """Try a model on two batches of random tokens, without compiled kernels.

    Args:
        model: with any weights, on the device to measure.
        lengths: of the sequences.
        batch: sequences at once, or `auto`.
        few: sequences that are tried in the published way.
    """
    at_once, device = sequences_at_once(batch, model), model.device
    text, twice = model.config.get_text_config(), 2 * at_once
    tokens = np.random.default_rng(0).integers(0, text.vocab_size, (twice, lengths.total), np.int32)
    prefix, starts = lengths.prefix, torch.full((at_once,), lengths.prefix)
    layers = len(attention_modules(model))
    with torch.inference_mode(), observing(model, pool_heads) as look, tqdm(disable=True) as bar:
        extraction = lambda: pool_shard(model, look, tokens, layers, at_once, bar)  # noqa: E731
        attention = rate(extraction, twice, device)
    with torch.inference_mode():
        forward = rate(lambda: forward_passes(model, tokens, prefix, at_once), twice, device)
        decoding = lambda: continuations(model, tokens[:at_once], starts, at_once)  # noqa: E731
        decode = rate(decoding, at_once, device)
        memory = memory_taken(device)
        published = rate(lambda: all_heads(model, tokens[:few]), few, device)
    return Trial(forward, decode, attention, published, memory, at_once)


def memory_taken(device: torch.device) -> int:
    """Bytes of memory that this process has taken at the most on a GPU, or takes on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    return psutil.Process().memory_info().rss


def all_heads(model: PreTrainedModel, tokens: np.ndarray) -> None:
    """The published way: the attention of every head, copied to the host."""
    model.set_attn_implementation("eager")
    inputs = torch.from_numpy(tokens.astype(np.int64)).to(model.device)
    output = model.base_model(inputs, output_attentions=True, use_cache=False)
    torch.stack(output.attentions, 1).cpu()
