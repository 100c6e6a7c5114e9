"""Time and memory of Δ maps against the formula on all heads, on random attention and CNNs.

    python benchmarks/localize.py
    python benchmarks/localize.py --layers 36 --heads 40 --device cuda

The formula, as it is published, takes the gradient of every logit to the attention of every head,
one sequence after another; it runs here on a few sequences and is counted up to all of them.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from guess_or_recall.attention.triangle import packed_size
from guess_or_recall.classifier.cnn import Cnn
from guess_or_recall.classifier.grid import architectures
from guess_or_recall.localization.delta import deltas
from guess_or_recall.settings.lengths import SEMANTIC_FILTERS

CLASSES, LENGTH = 3, SEMANTIC_FILTERS.total


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    line = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    line.add_argument("--layers", type=int, default=8, help="default 8")
    line.add_argument("--heads", type=int, default=8, help="default 8")
    line.add_argument("--sequences", type=int, default=200, help="of each class (default 200)")
    line.add_argument("--formula", type=int, default=6, help="sequences for the formula")
    line.add_argument("--kernel", type=int, nargs="+", default=[6, 8])
    line.add_argument("--batch", type=int, default=32)
    line.add_argument("--device", default="cpu", help="cpu or cuda (default cpu)")
    return line


def formula(cnns: list[Cnn], heads: torch.Tensor, label: int) -> torch.Tensor:
    """Δ of one sequence by the published formula, plain gradients; heads: [layers heads q k]."""
    total = torch.zeros(heads.shape[0], LENGTH, LENGTH, device=heads.device)
    for cnn in cnns:
        leaf = heads.clone().requires_grad_()
        pooled = leaf.mean(1) if cnn.architecture.pooling == "mean" else leaf.max(1).values
        logits = cnn(pooled[None])[0]
        parts = [torch.autograd.grad(logit, leaf, retain_graph=True)[0] for logit in logits]
        others = [part for t, part in enumerate(parts) if t != label]
        contrast = parts[label] - sum(others) / len(others)
        total += (contrast.clamp(min=0) / contrast.max() * heads).amax(1)
    return total / len(cnns)


def seconds(work: Callable[[], object], device: str) -> float:
    """Wall-clock time of one call, the device's work in it."""
    begun = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begun


def main() -> None:
    """Print one line of JSON."""
    line = parser().parse_args()
    random, n = np.random.default_rng(0), line.sequences * CLASSES
    pooled = {
        p: random.random((n, line.layers, packed_size(LENGTH)), np.float32).astype(np.float16)
        for p in ("mean", "max")
    }
    labels = (np.arange(n) % CLASSES).astype(np.int8)
    grid = architectures(line.kernel, [10, 16], ["mean", "max"])
    cnns = [Cnn(shape, line.layers, CLASSES, LENGTH).eval().to(line.device) for shape in grid]
    heads = torch.rand(line.layers, line.heads, LENGTH, LENGTH, device=line.device).tril()
    times = {"device": line.device, "layers": line.layers, "cnns": len(cnns), "sequences": n}
    formula(cnns, heads, 0)  # warms up
    run = seconds(lambda: [formula(cnns, heads, 0) for _ in range(line.formula)], line.device)
    times["formula_s"] = round(run / line.formula * n, 1)
    if line.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    for kind in ("guided", "plain"):
        deltas(cnns, {k: v[:96] for k, v in pooled.items()}, labels[:96], kind, line.batch, True)
        run = seconds(lambda k=kind: deltas(cnns, pooled, labels, k, line.batch, True), line.device)
        times[f"{kind}_s"] = round(run, 2)
    if line.device == "cuda":
        times["gpu_gb"] = round(torch.cuda.max_memory_allocated() / 1e9, 2)
    times["host_gb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2)
    times["ratio"] = round(times["formula_s"] / times["plain_s"], 1)
    print(json.dumps(times))


if __name__ == "__main__":
    main()
