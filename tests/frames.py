"""Random rows of the columns that expressions name."""

import numpy as np
import pandas as pd

GRID = [tenth / 10 for tenth in range(1, 10)]


def frame(rows=150, seed=0):
    """Random features, with many values that stand exactly on a threshold."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "sequence_id": np.arange(rows) * 3,
            "sequence_duplicates": rng.choice([1, 4, 5, 6, 50, 51, 1000, 1001], rows),
            "memorization_score": rng.choice([0.0, 31 / 32, 1.0, 1.0, 1.0], rows),
            "rouge_l": rng.choice([*GRID, 0.0, 1.0, 16 / 32, 9 / 32], rows),
            "rouge_3": rng.choice([*GRID, 0.0, 1.0, 15 / 30, 9 / 30], rows),
            "is_incrementing": rng.random(rows) < 0.1,
            "is_repeating": rng.random(rows) < 0.1,
            "is_code": rng.random(rows) < 0.4,
        }
    )
