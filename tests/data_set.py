"""Made files in the schema of the paper's data set."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from guess_or_recall.corpus.semantic_filters import rows, union
from guess_or_recall.features import published as published_templates
from guess_or_recall.features.templates import templates
from guess_or_recall.io.files import write_json
from guess_or_recall.io.paths import MODEL
from guess_or_recall.model import published
from guess_or_recall.model.load import load_model
from guess_or_recall.model.scoring import score
from guess_or_recall.model.training import new_model
from guess_or_recall.model.weights import content_of_model
from guess_or_recall.settings.yaml import read_yaml
from tests.conftest import ROOT
from tests.pools import write_changed

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
    write_changed(content, settings | changes)


def read(stage):
    return pd.read_parquet(f"data/{stage}/{stage}.parquet")


def metrics(stage):
    return json.loads(Path(f"metrics/{stage}.json").read_text())


def make_study(folder, patch):
    """A random model, what it memorizes, and params.yaml of the published way; files in `folder`.

    The pile has 60 ids; the memories 30, of which one stands there twice and 4 in the pile too.
    """
    patch.setattr(union, "PART", 16)
    patch.setattr(rows, "ROWS", 5)
    patch.setattr(published, "PART", 16)
    patch.setattr(published_templates, "COMPARED", 1)
    put_model(seed=0)
    random = np.random.default_rng(0)
    tokens = random.integers(1, 60, (90, 64)).astype(np.int32)
    memorized = np.arange(90) >= 50
    tokens[memorized, 32:] = score(load_model(MODEL), tokens, 32, 32, 32).continuation[memorized]
    ids = random.permutation(1000)[:90]
    ids[60:64] = ids[50:54]
    ids[80] = ids[70]
    scores = np.where(memorized, 1.0, 0.25)
    pile = rows_of(ids[:60], tokens[:60], scores[:60])
    write(folder, pile, rows_of(ids[60:], tokens[60:], scores[60:], seed=1))
    settle()
