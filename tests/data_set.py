"""Made files in the schema of the paper's data set."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from guess_or_recall.features.templates import templates
from guess_or_recall.io.files import write_json
from guess_or_recall.model.training import new_model
from guess_or_recall.model.weights import content_of_model
from guess_or_recall.settings.yaml import dump_yaml, read_yaml
from tests.conftest import ROOT

PILE, MEMORIES = "pile_deduped_70m", "memories_deduped_70m"


EXTRA = [f"extra_{number}" for number in range(16)]  # 27 columns in all


TEXTS = ["1 2 3 4 5 6 7 8", "ab ab ab ab ab ab", "nothing to see"]


def rows_of(ids, tokens, scores, seed=0):
    """Rows of the data set; its templates are the computed ones."""
    random, n = np.random.default_rng(seed), len(ids)
    texts = [TEXTS[number] for number in random.integers(0, 3, n)]
    incrementing, repeating = templates(texts)
    perplexities = {
        f"{name}_perplexity": pa.array(random.random(n) + 1, pa.float32())
        for name in ("prompt", "generation", "sequence")
    }
    columns = {
        "sequence_id": pa.array(ids, pa.int64()),
        "text": pa.array(texts),
        "tokens": pa.array(np.asarray(tokens).tolist(), pa.list_(pa.int64())),
        "sequence_duplicates": pa.array(random.integers(1, 9, n)),
        "is_incrementing": pa.array(incrementing),
        "is_repeating": pa.array(repeating),
        "memorization_score": pa.array(scores, pa.float64()),
        "huffman_coding_length": pa.array(random.random(n)),
    }
    return pa.table(columns | perplexities | {name: pa.array(range(n)) for name in EXTRA})


def write(folder, pile, memories):
    """Write two files of the pile, one of the memories, in row groups of 7."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    half = len(pile) // 2
    files = {f"{PILE}-00000-of-00002": pile[:half], f"{PILE}-00001-of-00002": pile[half:]}
    for name, table in (files | {f"{MEMORIES}-00000-of-00001": memories}).items():
        pq.write_table(table, folder / "data" / f"{name}.parquet", row_group_size=7)


def put_model(seed):
    """A random model in the folder net, and the pointer to it."""
    model = new_model(vocabulary=60, layers=2, width=32, heads=4, length=64, seed=seed)
    model.save_pretrained("net")
    content = content_of_model(Path("net"), "net")
    write_json(Path("data/model/model.json"), {"path": "net", **content})


def of_folder(path, model="70m"):
    """The data set as a folder holds it."""
    return {"source": "path", "path": path, "revision": "main", "model": model}


def settle(**changes):
    """Write params.yaml ('score__source' is score.source)."""
    content = read_yaml(ROOT / "params.yaml")
    settings = {
        "sequences__source": "semantic-filters",
        "sequences__semantic_filters": of_folder("filters"),
        "score__source": "published",
        "features__templates": "published",
        "features__is_code": "off",
        "samples": {"train": 4, "eval": 2, "shortage": "balance"},
        "pool": {"taxonomies": ["recite"], "deltas": [5], "rhos": [0.5]},
        "attention": {"batch": 4, "shard": 8, "gallery": 1},
    }
    for key, value in (settings | changes).items():
        *sections, last = key.split("__")
        place = content
        for section in sections:
            place = place[section]
        place[last] = value
    Path("params.yaml").write_text(dump_yaml(content))


def read(stage):
    return pd.read_parquet(f"data/{stage}/{stage}.parquet")


def metrics(stage):
    return json.loads(Path(f"metrics/{stage}.json").read_text())
