"""Shipped trees and examples have enough sequences of each class in the shipped study.

The candidates are made again from the committed counts: duplicates and planted kinds of
metrics/score.json, the share of code of metrics/features.json, ROUGE by the planted kind.
"""

import json
import re

import numpy as np
import pandas as pd
import pytest

from guess_or_recall.settings.params import Params
from guess_or_recall.settings.section import checked
from guess_or_recall.settings.yaml import parse_yaml, read_yaml
from guess_or_recall.taxonomy.drawing import quota
from guess_or_recall.taxonomy.sampling import count
from guess_or_recall.taxonomy.trees import TREES, classify, tree
from tests.conftest import ROOT
from tests.pages import read_page

CONTENT = read_yaml(ROOT / "params.yaml")
PARAMS = checked(Params, CONTENT, "params.yaml")
[SHOWN] = [
    parse_yaml(block.text, "docs/configuration.md")
    for block in read_page(ROOT / "docs/configuration.md").blocks
    if block.language == "yaml" and "taxonomies:" in block.text
]
OWN = {**CONTENT["taxonomies"], **SHOWN["taxonomies"]}
ENOUGH = 500  # sequences of a class that tell something


def counts(name):
    return json.loads((ROOT / f"metrics/{name}.json").read_text())


def most(bucket):
    """The highest number of a range such as 6-8, 3 or over 1000."""
    number = int(re.split("[- ]", bucket)[-1])
    return number + 1 if bucket.startswith("over") else number


@pytest.fixture(scope="module")
def candidates():
    """As many memorized sequences with so many duplicates, of each planted kind, as there were."""
    score, rng = counts("score"), np.random.default_rng(0)
    duplicates = np.concatenate(
        [
            np.full(round(row["sequences"] * row["share"]), most(bucket))
            for bucket, row in score["memorized_share_by_duplicates"].items()
        ]
    )
    planted = score["memorized_share_by_planted"]
    kinds = np.concatenate(
        [np.full(round(row["sequences"] * row["share"]), kind) for kind, row in planted.items()]
    )
    size = min(len(duplicates), len(kinds))
    assert size > 0.99 * score["memorized"]
    duplicates, kinds = duplicates[-size:], kinds[-size:]
    order = np.where(kinds == "background", -1, rng.random(size))  # seldom ones are background
    duplicates, kinds = np.sort(duplicates), kinds[np.argsort(order)]
    rouge = np.select([kinds == "similar", kinds == "between"], [0.7, 0.45], 0.2)
    memorized = pd.DataFrame(
        {
            "memorization_score": 1.0,
            "sequence_duplicates": duplicates,
            "rouge_3": rouge,
            "rouge_l": rouge,
            "is_incrementing": kinds == "template",
            "is_repeating": False,
            "is_code": rng.random(size) < counts("features")["is_code"]["share"],
        }
    )
    others = memorized.assign(memorization_score=0.0).head(score["sequences"] - size)
    return pd.concat([memorized, others], ignore_index=True)


@pytest.mark.parametrize("name", OWN)
def test_an_example_has_enough_of_each_class(candidates, name):
    declared = checked(Params, {**CONTENT, "taxonomies": OWN}, "params.yaml").taxonomies
    numbers = classes_of(candidates, tree(name, declared))
    assert min(numbers.values()) >= ENOUGH, numbers


@pytest.mark.parametrize("name", TREES)
def test_a_shipped_tree_can_be_drawn(candidates, name):
    quota(classes_of(candidates, tree(name, {})), PARAMS.samples)


def classes_of(frame, current):
    return count(classify(frame, current, **PARAMS.thresholds()), current.classes)
