"""The sequences of a plan: counted where data/ is of today's study, else said to be assumed."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from guess_or_recall.errors import UserError
from guess_or_recall.plan import needs
from guess_or_recall.plan.needs import most_candidates, needs_of
from guess_or_recall.settings.params import Params, read_params
from guess_or_recall.settings.section import checked
from guess_or_recall.settings.yaml import read_yaml
from tests.conftest import ROOT


def settings(**sequences):
    content = read_yaml(ROOT / "params.yaml")
    content["sequences"] |= sequences
    return checked(Params, content, "params").sequences


def of_files(path):
    return settings(source="files", files={"path": str(path), "text": "text"})


def test_a_corpus_of_the_user_s(workspace):
    """The default's planted kinds are none of it, and it has no more sequences than its bytes."""
    (workspace / "corpus").mkdir()
    (workspace / "corpus/a.txt").write_bytes(bytes(64 * 10_000))
    most, origin = most_candidates(of_files("corpus"))
    assert (most, origin[:7]) == (4500, "assumed")
    (workspace / "corpus/a.txt").write_bytes(bytes(64 * 100 + 63))
    (workspace / "corpus/b.md").write_bytes(bytes(64 * 100))  # which is not read
    most, origin = most_candidates(of_files("corpus"))
    assert most == 100 and origin == "assumed: a byte a token, in the 1 files of the corpus"
    pq.write_table(pa.table({"text": ["a" * 10**6]}), workspace / "corpus/c.parquet")
    assert most_candidates(of_files("corpus"))[0] == 4500
    with pytest.raises(UserError, match=r"sequences.files.path: 'gone' does not exist"):
        most_candidates(of_files("gone"))


def test_the_shipped_corpus_and_the_published_one():
    assert most_candidates(settings()) == (
        13_900,
        "assumed: as many as sequences.studied asks for",
    )
    few = {"template": {"template": True, "copies": {1: 7}}}
    assert most_candidates(settings(planted=few, studied={"template": 100}))[0] == 7
    published = settings(source="semantic-filters")
    assert most_candidates(published)[0] == 6_871_216


@pytest.mark.parametrize(
    ("outdated", "candidates", "exact", "origin"),
    [
        ([], 150, True, "counted in data/"),
        (["score"], 150, False, "counted in data/sequences"),
        (["sequences", "score"], 13_900, False, "data/sequences is of other parameters, code or"),
    ],
)
def test_data_of_other_parameters_do_not_count(
    study, monkeypatch, outdated, candidates, exact, origin
):
    monkeypatch.setattr(needs, "stale", lambda *stages: outdated)
    planned = needs_of(read_params())
    assert (planned.candidates, planned.exact) == (candidates, exact)
    assert origin in planned.origin and Path("data/features").exists()
