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


def sequences(rows: int, prefix: int, suffix: int, vocabulary: int) -> np.ndarray:
    """Random ids [rows, prefix + suffix]; every other suffix holds a stretch of its prefix."""
    tokens = np.random.default_rng(0).integers(
        0, vocabulary, (rows, prefix + suffix), dtype=np.int32
    )
    stretch = 5 * min(prefix, suffix) // 8
    start = prefix + suffix // 4
    tokens[::2, start : start + stretch] = tokens[::2, prefix - stretch : prefix]
    return tokens


def reference(tokens: np.ndarray, border: int) -> np.ndarray:
    """Both measures [2, rows] by the package rouge-score."""
    scorer = RougeScorer(["rouge3", "rougeL"], tokenizer=Split())
    texts = [[" ".join(map(str, part)) for part in np.split(row, [border])] for row in tokens]
    scores = [scorer.score(prefix, suffix) for prefix, suffix in texts]
    return np.array([[score[name].fmeasure for score in scores] for name in ("rouge3", "rougeL")])


def ours(tokens: np.ndarray, border: int) -> np.ndarray:
    """Both measures [2, rows] by this project."""
    return np.stack([rouge_3(tokens, border), rouge_l(tokens, border)])


def timed(function: Callable, tokens: np.ndarray, border: int) -> tuple[np.ndarray, float]:
    """What `function` returns, and its seconds."""
    start = time.perf_counter()
    return function(tokens, border), time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="sequences for ours")
    parser.add_argument("--sample", type=int, default=5_000, help="of them, for rouge-score")
    parser.add_argument("--vocabulary", type=int, default=4096, help="token ids are below this")
    parser.add_argument("--prefix", type=int, default=32, help="tokens")
    parser.add_argument("--suffix", type=int, default=32, help="tokens")
    options = parser.parse_args()
    tokens = sequences(options.rows, options.prefix, options.suffix, options.vocabulary)
    measures, seconds = timed(ours, tokens, options.prefix)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sample = tokens[: options.sample]
    expected, sample_seconds = timed(reference, sample, options.prefix)
    extrapolated = sample_seconds * options.rows / len(sample)
    print(f"ours         {seconds:9.2f} s for {options.rows:,} sequences")
    print(f"peak memory  {memory:9.0f} MB, of which tokens {tokens.nbytes / 2**20:.0f}")
    print(
        f"rouge-score  {extrapolated:9.0f} s, extrapolated from {sample_seconds:.2f} s for "
        f"{len(sample):,}"
    )
    print(f"ratio        {extrapolated / seconds:9.0f}")
    print(f"equal bits on the sample: {np.array_equal(measures[:, : len(sample)], expected)}")


if __name__ == "__main__":
    main()
