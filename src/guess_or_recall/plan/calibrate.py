"""What a model of some shape takes on the present device: a short trial with random weights."""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import psutil
import torch
from tqdm import tqdm
from transformers import AutoModelForCausalLM, PretrainedConfig, PreTrainedModel

from guess_or_recall.attention.extract import pool_shard
from guess_or_recall.attention.pooling import observing, pool_heads
from guess_or_recall.model.batches import sequences_at_once
from guess_or_recall.model.scoring import continuations, forward_passes
from guess_or_recall.settings.lengths import Lengths

MARGIN = 1.15  # of the weights: what a model takes beside them


class Shape(NamedTuple):
    """What sizes depend on."""

    layers: int
    heads: int
    parameters: int


class Trial(NamedTuple):
    """Sequences a second of each kind of work, and bytes of memory at the most."""

    forward: float
    decode: float
    attention: float
    published: float
    memory: int
    batch: int


def shape_of(config: PretrainedConfig) -> Shape:
    """Layers, heads and parameters; no memory is taken."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    own = config.get_text_config()
    return Shape(own.num_hidden_layers, own.num_attention_heads, model.num_parameters())


def room_on(device: torch.device) -> int:
    """Free bytes of a device's memory."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return psutil.virtual_memory().available


def random_model(
    config: PretrainedConfig, dtype: torch.dtype, device: torch.device
) -> PreTrainedModel:
    """A model of this shape with random weights."""
    torch.manual_seed(0)
    with device:
        return AutoModelForCausalLM.from_config(config, dtype=dtype).eval()


def rate(work: Callable[[], object], sequences: int, device: torch.device) -> float:
    """Sequences a second, after a first time that is not counted."""
    work()
    begun = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return sequences / (time.perf_counter() - begun)


def calibrate(model: PreTrainedModel, lengths: Lengths, batch: int | str, few: int = 4) -> Trial:
    """Try a model on two batches of random tokens, without compiled kernels."""
    each, device = sequences_at_once(batch, model), model.device
    vocabulary = model.config.get_text_config().vocab_size
    tokens = np.random.default_rng(0).integers(0, vocabulary, (2 * each, lengths.total), np.int32)
    starts = torch.full((each,), lengths.prefix)
    with torch.inference_mode(), observing(model, pool_heads) as look, tqdm(disable=True) as bar:
        layers = model.config.get_text_config().num_hidden_layers
        attention = rate(
            lambda: pool_shard(model, look, tokens, layers, each, bar), 2 * each, device
        )
    with torch.inference_mode():
        forward = rate(
            lambda: forward_passes(model, tokens, lengths.prefix, each), 2 * each, device
        )
        decode = rate(lambda: continuations(model, tokens[:each], starts, each), each, device)
        memory = (
            torch.cuda.max_memory_allocated()
            if device.type == "cuda"
            else psutil.Process().memory_info().rss
        )
        published = rate(lambda: all_heads(model, tokens[:few]), few, device)
    return Trial(forward, decode, attention, published, memory, each)


def all_heads(model: PreTrainedModel, tokens: np.ndarray) -> None:
    """The published way: the attention of every head, copied to the host."""
    model.set_attn_implementation("eager")
    given = torch.from_numpy(tokens.astype(np.int64)).to(model.device)
    output = model.base_model(given, output_attentions=True, use_cache=False)
    torch.stack(output.attentions, 1).cpu()
