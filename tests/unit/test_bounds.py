"""The bounds that docs/configuration.md lists are those of the settings."""

import re

import pytest

from guess_or_recall.errors import UserError
from guess_or_recall.settings import expressions, lengths, names, yaml
from guess_or_recall.settings.params import parse_params
from guess_or_recall.settings.yaml import dump_yaml, read_yaml
from tests.conftest import ROOT

PAGE = (ROOT / "docs/configuration.md").read_text()
BOUNDS = PAGE.split("## Bounds")[1].split("## Profiles")[0]
LISTED = {
    "sequences.prefix": ("sequences.prefix", "sequences.suffix"),
    "samples": ("samples.train", "sequences.background", "score.recheck", "attention.shard"),
    "copies": ("ablate.batch", "localize.batch", "train.batch", "evaluate.bootstrap"),
    "sequences.tokenizer.vocabulary": ("sequences.tokenizer.vocabulary",),
    "sequences.tokenizer.train_mb": ("sequences.tokenizer.train_mb",),
    "model.train.layers": ("model.train.layers",),
    "model.train.width": ("model.train.width",),
    "train.grid.features": ("train.grid.features",),
    "epochs": ("model.train.epochs", "train.epochs"),
    "ablate.random": ("ablate.random",),
    "seed": ("seed", "train.seed"),
}


def with_value(key, value):
    content = read_yaml(ROOT / "params.yaml")
    *sections, last = key.split(".")
    section = content
    for name in sections:
        section = section[name]
    section[last] = [value] if isinstance(section[last], list) else value
    return dump_yaml(content)


def bound(line):
    [row] = [row for row in BOUNDS.splitlines() if f"`{line}`" in row]
    return int(re.sub(r"\D", "", row.rsplit("|", 2)[1]))


def test_every_row_is_listed_here():
    assert len(LISTED) == sum(row.startswith("| ") for row in BOUNDS.splitlines()) - 2


@pytest.mark.parametrize(
    ("line", "key"), [(line, key) for line, keys in LISTED.items() for key in keys]
)
def test_a_bound_is_the_last_value_that_is_taken(line, key):
    most = bound(line)
    parse_params(with_value(key, most), "here")
    with pytest.raises(UserError, match=re.escape(key)):
        parse_params(with_value(key, most + 1), "here")


def test_limits_of_names_and_expressions_are_the_ones_of_the_code():
    text = " ".join(PAGE.split())
    for limit in (
        f"{expressions.LONGEST:,} characters",
        f"{expressions.DEEPEST} parts",
        f"{names.LONGEST} characters",
        f"{yaml.LARGEST // 2**20} MiB",
        f"{yaml.DEEPEST} levels",
    ):
        assert limit in text
    assert bound("sequences.prefix") == lengths.LONGEST
