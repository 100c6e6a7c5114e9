"""Tables and parameters of the stages pool and label."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from guess_or_recall.settings.yaml import dump_yaml, read_yaml
from tests.conftest import ROOT

DEFAULT = ROOT / "profiles" / "default.yaml"


ROWS = 3000


def tables(rows=ROWS, seed=0):
    """Made inputs: about a fifth non-memorized, planted where there are duplicates."""
    rng = np.random.default_rng(seed)
    ids = np.sort(rng.choice(10**6, rows, replace=False))
    duplicates = rng.choice([1, 3, 6, 7, 8, 60, 2000], rows)
    perplexity = rng.random(rows).astype(np.float32) + 1
    return {
        "sequences": {
            "sequence_id": ids,
            "sequence_duplicates": duplicates,
            "planted": np.where(duplicates == 1, "background", "distinct").astype(object),
        },
        "score": {
            "sequence_id": ids,
            "memorization_score": rng.choice([0.5, 1.0, 1.0, 1.0, 1.0], rows),
            "prompt_perplexity": perplexity,
            "generation_perplexity": perplexity,
            "sequence_perplexity": perplexity,
        },
        "features": {
            "sequence_id": ids,
            "rouge_3": rng.integers(0, 31, rows) / 30,
            "rouge_l": rng.integers(0, 33, rows) / 32,
            "is_incrementing": rng.random(rows) < 0.06,
            "is_repeating": rng.random(rows) < 0.06,
            "is_code": rng.random(rows) < 0.4,
        },
    }


def make_inputs():
    """Tables and params.yaml in the working folder."""
    write_tables(tables())
    write_params()


def write_tables(content):
    for name, columns in content.items():
        path = Path(f"data/{name}/{name}.parquet")
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), path)


def write_params(**changes):
    """params.yaml with small samples, and some keys changed, see `write_changed`."""
    content = read_yaml(DEFAULT)
    content["pool"]["taxonomies"] = ["guess", "recite-then-reconstruct"]
    content["taxonomies"]["own"] = {"nodes": {"alike": "rouge_l >= rho_l"}}
    small = {"samples": {"train": 20, "eval": 10, "shortage": "balance"}, "delta": 5}
    write_changed(content, small | changes)


def write_changed(content, changes):
    """Write params.yaml with some keys changed: 'pool__rhos' is pool.rhos."""
    for key, value in changes.items():
        *sections, last = key.split("__")
        place = content
        for section in sections:
            place = place[section]
        place[last] = value
    Path("params.yaml").write_text(dump_yaml(content))


def read(path):
    return pq.read_table(path).to_pandas()


def features():
    parts = [pd.DataFrame(columns) for columns in tables().values()]
    return pd.concat(parts, axis=1).loc[:, lambda frame: ~frame.columns.duplicated()]
