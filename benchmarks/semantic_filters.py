"""The paper's data set at its size, without a GPU: `python benchmarks/semantic_filters.py`.

Makes so many rows in its schema (random tokens and words), then runs the stages `sequences`,
`score` (published), `features` and `pool` on them in a folder of its own, every one a process:
seconds, and the most memory that a stage took.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))
from guess_or_recall.settings.lengths import SEMANTIC_FILTERS
from guess_or_recall.settings.yaml import dump_yaml, read_yaml

ROOT = Path(__file__).parents[1]
BATCH = 100_000
LENGTH = SEMANTIC_FILTERS.total
WORDS = np.array(["the", "of", "and", "a", "in", "is", "it", "you", "he", "was", "for", "on"])


def rows(first: int, count: int, score: float | None) -> pa.Table:
    """Rows of the data set; each score is `score`, or any below 1."""
    random = np.random.default_rng(first)
    tokens = pa.array(random.integers(0, 4000, count * LENGTH))
    offsets = pa.array(np.arange(0, LENGTH * count + 1, LENGTH), pa.int32())
    words = WORDS[random.integers(0, len(WORDS), (count, 50))]
    columns = {
        "sequence_id": pa.array(np.arange(first, first + count)),
        "text": pa.array([" ".join(row) for row in words]),
        "tokens": pa.ListArray.from_arrays(offsets, tokens),
        "sequence_duplicates": pa.array(random.integers(1, 2000, count)),
        "is_incrementing": pa.array(random.random(count) < 0.1),
        "is_repeating": pa.array(random.random(count) < 0.1),
        "memorization_score": pa.array(np.full(count, score) if score else random.random(count)),
        "huffman_coding_length": pa.array(random.random(count)),
    }
    for name in ("prompt", "generation", "sequence"):
        columns[f"{name}_perplexity"] = pa.array(random.random(count) + 1, pa.float32())
    return pa.table(columns | {f"extra_{i}": pa.array(random.random(count)) for i in range(16)})


def make(folder: Path, pile: int, memories: int) -> None:
    """Write both splits; ids of the memories stand in the pile too, one in ten."""
    starts = {"pile": (0, pile, None), "memories": (pile - memories // 10, memories, 1.0)}
    for split, (first, count, score) in starts.items():
        for number, start in enumerate(range(0, count, BATCH)):
            part = rows(first + start, min(BATCH, count - start), score)
            pq.write_table(part, folder / f"{split}_deduped_70m-{number:05d}.parquet")


def run(folder: Path, stage: str) -> tuple[float, float]:
    """Seconds and the peak of memory (GB) of a stage."""
    begun, peak = time.perf_counter(), 0
    command = [sys.executable, ROOT / "src/run.py", stage]
    process = psutil.Popen(command, cwd=folder, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        try:
            peak = max(peak, process.memory_info().rss)
        except psutil.NoSuchProcess:
            break
        time.sleep(0.05)
    if process.wait():
        sys.exit(f"{stage} failed: run it in {folder}")
    return time.perf_counter() - begun, peak / 1e9


def main() -> None:
    """Print a line of JSON a stage."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pile", type=int, default=5_000_000, help="rows (the paper: 5,000,000)")
    parser.add_argument("--memories", type=int, default=1_800_000, help="rows of memories")
    options = parser.parse_args()
    (ROOT / ".scratch").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / ".scratch") as name:
        folder = Path(name)
        (folder / "filters").mkdir()
        make(folder / "filters", options.pile, options.memories)
        params = read_yaml(ROOT / "params.yaml")
        params["sequences"] |= {"source": "semantic-filters"}
        params["sequences"]["semantic_filters"] = {
            "source": "path",
            "path": "filters",
            "revision": "main",
            "model": "70m",
        }
        params["score"] |= {"source": "published", "recheck": 100}
        params["features"] |= {"templates": "published", "is_code": "off"}
        params["samples"] = {"train": 4000, "eval": 2000, "shortage": "balance"}
        params["model"]["path"] = str(ROOT / "models/tiny")
        (folder / "params.yaml").write_text(dump_yaml(params))
        for stage in ("sequences", "model", "score", "features", "pool"):
            seconds, peak = run(folder, stage)
            print(json.dumps({"stage": stage, "seconds": round(seconds, 1), "gb": round(peak, 2)}))
        union = json.loads((folder / "metrics/pool.json").read_text())
        print(
            json.dumps({key: union[key] for key in ("sequences", "sum_over_variants", "variants")})
        )


if __name__ == "__main__":
    main()
