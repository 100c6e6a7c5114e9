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
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from guess_or_recall.classifier.cnn import Cnn
from guess_or_recall.classifier.grid import architectures
from guess_or_recall.localization.delta import deltas

CLASSES, LENGTH, PACKED = 3, 64, 2080


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--layers", type=int, default=8, help="default 8")
    made.add_argument("--heads", type=int, default=8, help="default 8")
    made.add_argument("--sequences", type=int, default=200, help="of each class (default 200)")
    made.add_argument("--formula", type=int, default=6, help="sequences for the formula")
    made.add_argument("--kernel", type=int, nargs="+", default=[6, 8])
    made.add_argument("--batch", type=int, default=32)
    made.add_argument("--device", default="cpu", help="cpu or cuda (default cpu)")
    return made


def formula(cnns: list[Cnn], heads: torch.Tensor, label: int) -> torch.Tensor:
    """Δ of one sequence by the published formula, plain gradients, [layers heads q k] given."""
    total = torch.zeros(heads.shape[0], LENGTH, LENGTH, device=heads.device)
    for cnn in cnns:
        own = heads.clone().requires_grad_()
        read = own.mean(1) if cnn.architecture.pooling == "mean" else own.max(1).values
        logits = cnn(read[None])[0]
        parts = [torch.autograd.grad(one, own, retain_graph=True)[0] for one in logits]
        others = [part for t, part in enumerate(parts) if t != label]
        contrast = parts[label] - sum(others) / len(others)
        total += (contrast.clamp(min=0) / contrast.max() * heads).amax(1)
    return total / len(cnns)


def seconds(work, device: str) -> float:
    """Wall-clock time of one call, the device's work in it."""
    begun = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begun


def main() -> None:
    """Print one line of JSON."""
    given = parser().parse_args()
    random, n = np.random.default_rng(0), given.sequences * CLASSES
    shape = (n, given.layers, PACKED)
    pooled = {p: random.random(shape, np.float32).astype(np.float16) for p in ("mean", "max")}
    labels = (np.arange(n) % CLASSES).astype(np.int8)
    grid = architectures(given.kernel, [10, 16], ["mean", "max"])
    cnns = [Cnn(each, given.layers, CLASSES, 64).eval().to(given.device) for each in grid]
    heads = torch.rand(given.layers, given.heads, LENGTH, LENGTH, device=given.device).tril()
    found = {"device": given.device, "layers": given.layers, "cnns": len(cnns), "sequences": n}
    formula(cnns, heads, 0)  # warms up
    each = seconds(lambda: [formula(cnns, heads, 0) for _ in range(given.formula)], given.device)
    found["formula_s"] = round(each / given.formula * n, 1)
    if given.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    for kind in ("guided", "plain"):
        deltas(cnns, {k: v[:96] for k, v in pooled.items()}, labels[:96], kind, given.batch, True)
        run = seconds(
            lambda k=kind: deltas(cnns, pooled, labels, k, given.batch, True), given.device
        )
        found[f"{kind}_s"] = round(run, 2)
    if given.device == "cuda":
        found["gpu_gb"] = round(torch.cuda.max_memory_allocated() / 1e9, 2)
    found["host_gb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2)
    found["ratio"] = round(found["formula_s"] / found["plain_s"], 1)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
