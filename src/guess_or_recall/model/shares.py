"""How much of a corpus is memorized: of all sequences, of each kind, against duplicates."""

import numpy as np
import pandas as pd
import pyarrow as pa

BOUNDS = [0, 1, 2, 3, 5, 8, 16, 50, 1000, np.inf]
RANGES = ["1", "2", "3", "4-5", "6-8", "9-16", "17-50", "51-1000", "over 1000"]


def memorized_shares(sequences: pa.Table, memorization_score: pa.ChunkedArray) -> dict:
    """Shares of memorized sequences: of all, of each planted kind, and against duplicates."""
    scores = memorization_score.to_numpy()
    memorized = scores == 1
    duplicates = sequences["sequence_duplicates"].to_numpy()
    frame = pd.DataFrame(
        {
            "memorized": memorized,
            "planted": sequences["planted"].to_pandas().fillna("unknown"),
            "duplicates": pd.cut(duplicates, BOUNDS, labels=RANGES),
        }
    )
    return {
        "sequences": len(frame),
        "memorized": int(memorized.sum()),
        "memorized_share": float(memorized.mean()),
        "mean_memorization_score": float(scores.mean()),
        "memorized_share_by_planted": shares(frame, "planted"),
        "memorized_share_by_duplicates": shares(frame, "duplicates"),
    }


def shares(frame: pd.DataFrame, column: str) -> dict[str, dict]:
    """Number of sequences and memorized share of each group."""
    groups = frame.groupby(column, observed=True)["memorized"]
    return {
        str(name): {"sequences": len(group), "share": round(float(np.mean(group)), 4)}
        for name, group in groups
    }
