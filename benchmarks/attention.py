"""Sequences a second of pooled attention, and of reading it back from the store.

    python benchmarks/attention.py --help

The pooled forward is compared with (a) the forward alone, with PyTorch's fused attention, which is
the limit, and (b) `output_attentions` of all heads, pooled afterwards. The model is a GPT-NeoX of
random weights with the default's shape.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedModel

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))
from guess_or_recall.attention.pooling import pool_heads, pooled_attention
from guess_or_recall.attention.reading import read_pooled
from guess_or_recall.attention.store import shard_path, write_shard, write_view
from guess_or_recall.attention.triangle import packed_size
from guess_or_recall.settings.lengths import SEMANTIC_FILTERS

LENGTH = SEMANTIC_FILTERS.total


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--heads", type=int, default=8)
    parser.add_argument("--batch", type=int, nargs="+", default=[32, 128], help="default: 32 128")
    parser.add_argument("--sequences", type=int, default=256, help="a timing (default: 256)")
    parser.add_argument("--rounds", type=int, default=3, help="the best one counts (default: 3)")
    parser.add_argument(
        "--stored", type=int, default=12000, help="sequences of the store read back"
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    return parser.parse_args()


def random_model(arguments: argparse.Namespace) -> PreTrainedModel:
    """A GPT-NeoX of random weights, on the GPU where there is one."""
    config = GPTNeoXConfig(
        vocab_size=4096,
        hidden_size=arguments.width,
        num_hidden_layers=arguments.layers,
        num_attention_heads=arguments.heads,
        intermediate_size=4 * arguments.width,
        max_position_embeddings=LENGTH,
    )
    return GPTNeoXForCausalLM(config).eval().to("cuda" if torch.cuda.is_available() else "cpu")


def forward_alone(model: PreTrainedModel, tokens: torch.Tensor) -> None:
    """(a) The forward without its language-model head, nothing kept."""
    model.base_model(tokens.to(model.device), use_cache=False)[0][0, 0, 0].item()


def pooled(model: PreTrainedModel, tokens: torch.Tensor) -> None:
    """Ours: heads pooled inside the attention."""
    pooled_attention(model, tokens).cpu()


def all_heads(model: PreTrainedModel, tokens: torch.Tensor) -> None:
    """(b) Every head of every layer is kept, then pooled."""
    model.set_attn_implementation("eager")
    output = model.base_model(tokens.to(model.device), use_cache=False, output_attentions=True)
    torch.stack([pool_heads(pattern) for pattern in output.attentions]).half().cpu()
    model.set_attn_implementation("sdpa")


@torch.inference_mode()
def seconds(run: Callable, model: PreTrainedModel, tokens: torch.Tensor, batch: int) -> float:
    """Time of one pass over the sequences."""
    start = time.perf_counter()
    for part in tokens.split(batch):
        run(model, part)
    return time.perf_counter() - start


def time_extraction(arguments: argparse.Namespace) -> None:
    """Print the three speeds; the rounds alternate, so that a busy machine slows all alike."""
    model = random_model(arguments)
    tokens = torch.randint(4096, (arguments.sequences, LENGTH))
    ways = (forward_alone, pooled, all_heads)
    for batch in arguments.batch:
        best = dict.fromkeys(ways, float("inf"))
        for _ in range(arguments.rounds):
            for way in ways:
                best[way] = min(best[way], seconds(way, model, tokens, batch))
        speeds = {way.__name__: arguments.sequences / best[way] for way in ways}
        listed = ", ".join(f"{name} {speed:.0f}" for name, speed in speeds.items())
        print(
            f"batch {batch}: {listed} sequences/s; pooled is "
            f"{speeds['pooled'] / speeds['forward_alone']:.2f} of the forward alone, "
            f"{speeds['pooled'] / speeds['all_heads']:.2f} of all heads",
            flush=True,
        )


def time_store(arguments: argparse.Namespace) -> None:
    """Print the speeds of writing a store, and of reading half of it in a random order."""
    random = np.random.default_rng(0)
    shape = (arguments.layers, packed_size(LENGTH))
    values = random.random((2, min(arguments.stored, 2048), *shape), np.float32).astype(np.float16)
    with tempfile.TemporaryDirectory() as name:
        folder, start = Path(name), time.perf_counter()
        parts = [
            np.arange(a, min(a + 2048, arguments.stored)) for a in range(0, arguments.stored, 2048)
        ]
        for index, ids in enumerate(parts):
            write_shard(shard_path(folder, index), ids, values[:, : len(ids)], {})
        write_view(folder, len(parts), {})
        written = time.perf_counter() - start
        wanted = random.permutation(arguments.stored)[: arguments.stored // 2]
        start = time.perf_counter()
        read_pooled(folder, wanted, "mean")
        read = time.perf_counter() - start
    print(
        f"store: {arguments.stored} sequences written in {written:.1f} s; "
        f"{len(wanted)} of them, scattered, read in {read:.2f} s"
    )


def main() -> None:
    """Print all timings."""
    chosen = arguments()
    torch.set_num_threads(chosen.threads)
    print(
        f"{chosen.layers} layers, width {chosen.width}, {chosen.heads} heads, "
        f"{chosen.threads} threads"
    )
    time_extraction(chosen)
    time_store(chosen)


if __name__ == "__main__":
    main()
