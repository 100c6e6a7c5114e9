"""ROUGE-3 and ROUGE-L of a million sequences, against rouge-score: `python benchmarks/rouge.py`."""

import argparse
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rouge_score.rouge_scorer import RougeScorer

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))
from guess_or_recall.features.rouge import rouge_3, rouge_l


class Split:
    """Words are what spaces separate (rouge-score's own tokenizer drops what is not a-z, 0-9)."""

    def tokenize(self, text: str) -> list[str]:
        """Split at spaces."""
        return text.split(" ")


def sequences(rows: int, vocabulary: int, seed: int) -> np.ndarray:
    """Random ids [rows, 64]; every other suffix holds a stretch of its prefix."""
    tokens = np.random.default_rng(seed).integers(0, vocabulary, (rows, 64), dtype=np.int32)
    tokens[::2, 40:60] = tokens[::2, 5:25]
    return tokens


def reference(tokens: np.ndarray) -> np.ndarray:
    """Both measures [2, rows] by the package rouge-score."""
    scorer = RougeScorer(["rouge3", "rougeL"], tokenizer=Split())
    texts = [[" ".join(map(str, half)) for half in np.split(row, 2)] for row in tokens]
    scores = [scorer.score(prefix, suffix) for prefix, suffix in texts]
    return np.array([[score[name].fmeasure for score in scores] for name in ("rouge3", "rougeL")])


def timed(function: Callable, tokens: np.ndarray) -> tuple[np.ndarray, float]:
    """What `function` returns, and its seconds."""
    start = time.perf_counter()
    return function(tokens), time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="sequences for ours")
    parser.add_argument("--sample", type=int, default=5_000, help="of them, for rouge-score")
    parser.add_argument("--vocabulary", type=int, default=4096, help="token ids are below this")
    given = parser.parse_args()
    tokens = sequences(given.rows, given.vocabulary, seed=0)
    ours, seconds = timed(lambda ids: np.stack([rouge_3(ids), rouge_l(ids)]), tokens)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sample = tokens[: given.sample]
    theirs, sampled = timed(reference, sample)
    extrapolated = sampled * given.rows / len(sample)
    print(f"ours         {seconds:9.2f} s for {given.rows:,} sequences")
    print(f"peak memory  {memory:9.0f} MB, of which tokens {tokens.nbytes / 2**20:.0f}")
    print(
        f"rouge-score  {extrapolated:9.0f} s, extrapolated from {sampled:.2f} s for {len(sample):,}"
    )
    print(f"ratio        {extrapolated / seconds:9.0f}")
    print(f"equal bits on the sample: {np.array_equal(ours[:, : len(sample)], theirs)}")


if __name__ == "__main__":
    main()
