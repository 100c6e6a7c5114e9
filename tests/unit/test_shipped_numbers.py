"""Numbers that the docs and comments state of shipped settings are those that the settings give."""

import json
import re

import pytest

from guess_or_recall.settings.params import Params
from guess_or_recall.settings.section import checked
from guess_or_recall.settings.yaml import read_yaml
from guess_or_recall.sweep.declare import expand, read_sweeps
from guess_or_recall.taxonomy.declared import declared
from guess_or_recall.taxonomy.trees import TREES
from tests.conftest import ROOT

CONTENT = read_yaml(ROOT / "params.yaml")
PARAMS = checked(Params, CONTENT, "params.yaml")


def sweep(*names):
    variants = expand(read_sweeps(list(names), ROOT / "sweeps.yaml"), CONTENT)
    return {variant.name for variant in variants}


def number(pattern, page):
    """The one number in a sentence of a page, whose lines may break anywhere."""
    text = " ".join((ROOT / page).read_text().replace("\n#", "\n").split())
    [(*_, shown)] = [match.groups() for match in re.finditer(pattern, text)]
    return int(shown.replace(",", ""))


@pytest.mark.parametrize(
    ("name", "pattern", "page"),
    [
        ("benchmark", r"do not depend on δ once: (\d+) variants", "docs/sweeps.md"),
        ("benchmark", r"of the (\d+) variants have an empty", "docs/sweeps.md"),
        ("benchmark", r"at each δ where it matters: (\d+)", "sweeps.yaml"),
        ("rho", r"for each alone: (\d+) variants", "docs/sweeps.md"),
        ("rho", r"for one alone: (\d+)", "sweeps.yaml"),
        ("rho", r"the taxonomy `guess` at (\d+) settings of ρ", "docs/configuration.md"),
    ],
)
def test_variants_of_the_shipped_sweeps(name, pattern, page):
    assert number(pattern, page) == len(sweep(name))


def test_sweeps_and_pool_declare_the_same_variants():
    """One variant of `rho` is in `benchmark`, as docs/sweeps.md says; the pool holds all."""
    assert len(sweep("benchmark") & sweep("rho")) == 1
    union = sweep("benchmark", "rho")
    assert {variant.slug for variant in declared(PARAMS)} == union
    assert number(r"data/\); (\d+) variants", "docs/real-models.md") == len(union)
    assert len(sweep("repeats")) == 3 * 5
    for page in ("docs/configuration.md", "params.yaml", "sweeps.yaml", "docs/sweeps.md"):
        assert f"{len(TREES)} trees" in (ROOT / page).read_text()


def test_windows_of_the_training_stream():
    sequences = PARAMS.sequences
    counts = [row for rule in sequences.planted.values() for row in rule.copies.items()]
    page = "docs/shipped-model.md"
    repeated = sum(count for copies, count in counts if copies > 1)
    assert number(r"Another ([\d,]+) windows are \*planted\*", page) == repeated
    assert number(r"([\d,]+) windows of the packages appear once", page) == sequences.background
    stream = sequences.background + sum(copies * count for copies, count in counts)
    assert stream == json.loads((ROOT / "metrics/sequences.json").read_text())["stream_windows"]
    assert number(r"on ([\d,]+) windows of", "models/tiny/README.md") == stream


def test_megabytes_of_the_remotes():
    """As dvc.lock has them: the light remote, and both."""
    remotes = {
        path: facts.get("remote")
        for stage in read_yaml(ROOT / "dvc.yaml")["stages"].values()
        for out in stage.get("outs", [])
        for path, facts in out.items()
    }
    totals = dict.fromkeys(remotes.values(), 0)
    for stage in read_yaml(ROOT / "dvc.lock")["stages"].values():
        for out in stage.get("outs", []):
            if out["path"] in remotes:
                totals[remotes[out["path"]]] += out["size"]
    page = "docs/sharing.md"
    light, heavy = totals["light"], totals["heavy"]
    assert number(r"the attention \((\d+) MB instead of", page) == round(light / 1e6)
    assert number(r"MB instead of (\d+) MB", page) == round((light + heavy) / 1e6)
