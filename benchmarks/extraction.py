"""Extraction at the paper's scale, on one GPU: `python benchmarks/extraction.py 2.8b 12b`.

Pythia's true shapes with random weights in float16. In one run and for each size: the matrix
products of the layers alone (the limit), attention pooled inside the model with PyTorch's own
kernels and with fused ones, and the published way (`output_attentions`, every head copied to the
host). Then what the whole paper would take at these rates, with the training of its CNNs.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from cnn import EPOCHS, train_together
from tqdm import tqdm
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedModel

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from guess_or_recall.attention.extract import Shards, extract, pool_shard
from guess_or_recall.attention.pooling import observing, pool_heads
from guess_or_recall.attention.triangle import packed_size
from guess_or_recall.classifier.grid import architectures
from guess_or_recall.classifier.samples import Sample
from guess_or_recall.model.interface import attention_modules, blocks_of, compiled
from guess_or_recall.model.scoring import continuations, forward_passes
from guess_or_recall.settings.lengths import SEMANTIC_FILTERS

SIZES = {  # layers, width, heads
    "70m": (6, 512, 8),
    "160m": (12, 768, 12),
    "410m": (24, 1024, 16),
    "1b": (16, 2048, 8),
    "1.4b": (24, 2048, 16),
    "2.8b": (32, 2560, 32),
    "6.9b": (32, 4096, 32),
    "12b": (36, 5120, 40),
}
PREFIX, LENGTH, VOCABULARY = SEMANTIC_FILTERS.prefix, SEMANTIC_FILTERS.total, 50688
PAPER = ("2.8b", "6.9b", "12b")
POOL, SETTINGS, SAMPLES = (
    69_000,
    87,
    14_000,
)  # sequences a model, variants, samples of one (3-4 classes)


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    parser_of_arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser_of_arguments.add_argument(
        "sizes", nargs="+", choices=SIZES, metavar="SIZE", help=", ".join(SIZES)
    )
    parser_of_arguments.add_argument(
        "--batch", type=int, default=128, help="sequences (default 128)"
    )
    parser_of_arguments.add_argument(
        "--published-batch", type=int, default=16, help="of the published way"
    )
    parser_of_arguments.add_argument(
        "--stored", type=int, default=4096, help="sequences extracted to disk"
    )
    return parser_of_arguments


def random_model(size: str) -> PreTrainedModel:
    """A GPT-NeoX of this shape in float16 on the GPU."""
    layers, width, heads = SIZES[size]
    config = GPTNeoXConfig(
        vocab_size=VOCABULARY,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * width,
    )
    torch.set_default_dtype(torch.float16)
    with torch.device("cuda"):
        model = GPTNeoXForCausalLM(config)
    torch.set_default_dtype(torch.float32)
    return model.eval()


def rate(work: Callable[[], object], sequences: int, rounds: int = 3) -> float:
    """Sequences a second of the best of some rounds, after one that warms up."""
    work()
    best = float("inf")
    for _ in range(rounds):
        torch.cuda.synchronize()
        begun = time.perf_counter()
        work()
        torch.cuda.synchronize()
        best = min(best, time.perf_counter() - begun)
    return sequences / best


def limit(size: str, batch: int) -> float:
    """The matrix products of all layers on the tokens of a batch, and nothing else."""
    layers, width, _ = SIZES[size]
    half = {"device": "cuda", "dtype": torch.float16}
    narrow = torch.randn(batch * LENGTH, width, **half)
    wide = torch.randn(batch * LENGTH, 4 * width, **half)
    into = [torch.randn(width, columns, **half) for columns in (3 * width, width, 4 * width)]
    back = torch.randn(4 * width, width, **half)

    def products() -> None:
        for _ in range(layers):
            for weight in into:
                narrow @ weight
            wide @ back

    return rate(products, batch)


def pooled(
    model: PreTrainedModel, tokens: np.ndarray, batch: int, fused: bool
) -> tuple[float, np.ndarray]:
    """Attention pooled inside the model, on the host at the end, batch after batch."""
    layers = model.config.num_hidden_layers
    with observing(model, pool_heads, fused) as look, tqdm(disable=True) as bar:
        speed = rate(lambda: pool_shard(model, look, tokens, layers, batch, bar), len(tokens))
        return speed, pool_shard(model, look, tokens[:batch], layers, batch, bar)


@torch.inference_mode()
def scored(model: PreTrainedModel, tokens: np.ndarray, batch: int) -> tuple[float, float]:
    """Sequences a second: the forward passes that find what is memorized, and decoding."""
    with compiled(blocks_of(model, attention_modules(model))):
        forward = rate(lambda: forward_passes(model, tokens, PREFIX, batch), len(tokens))
    starts, some = torch.full((2 * batch,), PREFIX), tokens[: 2 * batch]
    decoding = rate(lambda: continuations(model, some, starts, 2 * batch), len(some), rounds=1)
    return forward, decoding


@torch.inference_mode()
def published(model: PreTrainedModel, tokens: torch.Tensor) -> float:
    """All heads of all layers, copied to the host."""
    model.set_attn_implementation("eager")

    def run() -> None:
        output = model.base_model(tokens.cuda(), output_attentions=True, use_cache=False)
        torch.stack(output.attentions, 1).cpu()

    return rate(run, len(tokens), rounds=1)


def stored(model: PreTrainedModel, sequences: int, batch: int) -> tuple[float, float]:
    """Sequences a second of the stage's own extraction with its files, and bytes a sequence."""
    tokens = np.random.default_rng(0).integers(5, 50_000, (sequences, LENGTH)).astype(np.int32)
    with tempfile.TemporaryDirectory() as name:
        folder, begun = Path(name) / "attention", time.perf_counter()
        shards = Shards(folder, 1024, {"of": "a test"})
        extract(model, np.arange(sequences), tokens, shards, batch)
        taken = time.perf_counter() - begun
        written = sum(path.stat().st_size for path in folder.glob("*.h5"))
    return sequences / taken, written / sequences


def measured(size: str, arguments: argparse.Namespace) -> dict:
    """All rates of one size."""
    tokens = np.random.default_rng(0).integers(5, 50_000, (8 * arguments.batch, LENGTH), np.int32)
    rates = {"size": size, "limit": limit(size, arguments.batch)}
    model = random_model(size)
    rates["torch"], plain = pooled(model, tokens, arguments.batch, fused=False)
    rates["fused"], with_fused = pooled(model, tokens, arguments.batch, fused=True)
    rates["difference"] = float(np.abs(plain.astype(np.float32) - with_fused).max())
    rates["to_disk"], rates["bytes"] = stored(model, arguments.stored, arguments.batch)
    rates["scored"], rates["decoded"] = scored(model, tokens, arguments.batch)
    rates["published"] = published(model, torch.from_numpy(tokens[: arguments.published_batch]))
    layers, _, heads = SIZES[size]
    rates["published_bytes"] = layers * heads * LENGTH**2 * 2
    return rates


def cnn_rate(layers: int, samples: int = 4800) -> float:
    """Samples a second of the grid of eight CNNs."""
    random, n = np.random.default_rng(0), samples * 3 // 2
    shape = (n, layers, packed_size(LENGTH))
    pooled = {p: random.random(shape, np.float32).astype(np.float16) for p in ("mean", "max")}
    labels, is_eval = (np.arange(n) % 3).astype(np.int8), np.arange(n) >= samples
    sample = Sample(pooled, labels, is_eval, 3)
    grid = architectures([6, 8], [10, 16], ["mean", "max"])
    device = torch.device("cuda")
    work = lambda: train_together(sample, grid, device)  # noqa: E731
    return rate(work, samples * len(grid) * EPOCHS, rounds=1)


def paper(sizes: dict[str, dict], cnns: float) -> dict:
    """GPU-hours and gigabytes of the whole paper, where all of its sizes were measured."""
    hours = sum(POOL / sizes[name]["fused"] for name in PAPER) / 3600
    training = SETTINGS * len(PAPER) * SAMPLES * 8 * EPOCHS / cnns / 3600
    theirs = SETTINGS * 3 * 6000  # sequences extracted for every setting anew
    old = sum(theirs / sizes[name]["published"] for name in PAPER) / 3600
    return {
        "extraction_hours": round(hours, 2),
        "training_hours": round(training, 2),
        "gigabytes": round(sum(POOL * sizes[name]["bytes"] for name in PAPER) / 1e9, 1),
        "published_extraction_hours": round(old, 1),
        "published_gigabytes": round(
            sum(theirs * sizes[name]["published_bytes"] for name in PAPER) / 1e9
        ),
    }


def main() -> None:
    """Print a line of JSON a size, and one of the whole paper."""
    arguments, rates = parser().parse_args(), {}
    for size in arguments.sizes:
        rates[size] = measured(size, arguments)
        shown = {k: round(v, 4 if v < 1 else 1) for k, v in rates[size].items() if k != "size"}
        shares = {
            f"{way}_of_limit": round(rates[size][way] / rates[size]["limit"], 3)
            for way in ("torch", "fused", "to_disk", "scored", "published")
        }
        print(json.dumps({"size": size} | shown | shares), flush=True)
        torch.cuda.empty_cache()
    cnns = cnn_rate(SIZES[arguments.sizes[-1]][0])
    host = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    whole = paper(rates, cnns) if set(PAPER) <= set(rates) else {}
    print(json.dumps({"cnn_samples_per_s": round(cnns), "host_gb": round(host, 1)} | whole))


if __name__ == "__main__":
    main()
