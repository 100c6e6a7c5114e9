"""Tables of sweeps: arithmetic on matrices made by hand, and the published data."""

# pandas' stubs take a selected table or column for any of several types
# pyright: reportArgumentType=false, reportGeneralTypeIssues=false

import numpy as np
import pandas as pd
import pytest
import typer

from guess_or_recall.commands._options import not_a_file
from guess_or_recall.errors import UserError
from guess_or_recall.report.rows import PAPER, comparable, read_published, rows, with_published
from guess_or_recall.report.verdict import agreement
from guess_or_recall.settings.profiles import leaves
from guess_or_recall.settings.yaml import parse_yaml, read_yaml
from guess_or_recall.statistics.compare import (
    Votes,
    min_f1,
    paired_difference,
    rank_correlation,
    summed,
)
from guess_or_recall.statistics.f1 import normalised, scores
from guess_or_recall.statistics.repeats import paired_t
from guess_or_recall.sweep.declare import SEED, settle
from guess_or_recall.sweep.results import Result, require_alike
from tests.conftest import ROOT

BASE = read_yaml(ROOT / "profiles" / "default.yaml")
PUBLISHED = read_published(ROOT / "published")


def result(taxonomy="guess", confusion=((8, 2), (4, 6)), seed=42, model="tiny", **params):
    matrix = np.array(confusion)
    n = matrix.sum(1)
    votes = Votes(np.arange(n.sum()), np.repeat(np.arange(len(n)), n), one_hot(matrix))
    return Result(
        settle({"taxonomy": taxonomy, SEED: seed}, BASE, ""),
        model,
        {SEED: seed, "model.path": model, **params},
        {"min_f1": min_f1(votes), "min_f1_low": 0.5, "min_f1_high": 0.7, "eval_loss": 0.4},
        {"sampled": {"a": {"train": 3000, "eval": 10}}, "shortage": False},
        matrix,
        [str(i) for i in range(len(n))],
        votes,
    )


def one_hot(matrix):
    cells = [(j, count) for row in matrix for j, count in enumerate(row)]
    return np.concatenate([np.tile(np.eye(len(matrix), dtype=int)[j], (c, 1)) for j, c in cells])


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_file_where_the_folder_of_the_tables_is_to_be_made_is_named(place, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(typer.BadParameter, match=f"{tmp_path}/file is a file, not a folder"):
        not_a_file(tmp_path / place)
    assert not_a_file(tmp_path / "new/below") == tmp_path / "new/below"


def test_a_row_by_hand():
    """Precision 8/12 and 6/8, recall 8/10 and 6/10: F1 16/22 and 12/18."""
    [row] = rows([result()]).to_dict("records")
    assert row["min_f1"] == pytest.approx(100 * 12 / 18)
    assert row["mean_f1"] == pytest.approx(50 * (12 / 18 + 16 / 22))
    assert row["min_precision"] == pytest.approx(100 * 8 / 12)
    assert row["min_recall"] == pytest.approx(60)
    assert row["normalised_f1"] == pytest.approx(100 * (12 / 18 - 0.5) / 0.5)
    assert (row["rank"], row["variant"], row["rho_l"]) == (1, "guess-rho0.5", 0.5)
    assert row["comparable"] is False


@pytest.mark.parametrize("key", PAPER)
def test_what_differs_from_the_paper_is_not_comparable(key):
    alike = result(model="pythia-12b", **PAPER)
    assert comparable(alike)
    assert not comparable(result(model="pythia-12b", **PAPER | {key: "another"}))


def test_matrices_of_models_are_summed():
    table = rows([result(model="a"), result(model="b", confusion=((2, 8), (4, 6)))])
    assert table["model"].tolist() == ["a", "all", "b"]
    whole = table.set_index("model").loc["all"]
    expected = scores(np.array([[10, 10], [8, 12]])).f1.min()
    assert whole["min_f1"] == pytest.approx(100 * expected)


def test_seeds_become_one_row_with_an_interval():
    parts = [result(seed=42), result(seed=43, confusion=((6, 4), (4, 6)))]
    [row] = rows(parts).to_dict("records")
    assert row["seeds"] == 2
    middle, spread = np.mean([66.667, 60]), 12.706 * 6.667 / 2  # t of 1 degree of freedom
    assert row["min_f1_seed_low"] == pytest.approx(middle - spread, abs=0.1)
    assert row["min_f1_seed_high"] == pytest.approx(middle + spread, abs=0.1)


def test_rank_is_by_minimum_f1():
    table = rows([result("code", ((5, 5), (5, 5))), result("guess")])
    assert table["taxonomy"].tolist() == ["guess", "code"]
    assert table["rank"].tolist() == [1, 2]


def test_different_settings_are_refused():
    with pytest.raises(UserError, match=r"differ in train.epochs \(3, 1\)"):
        require_alike([result(**{"train.epochs": 3}), result("code", **{"train.epochs": 1})])
    require_alike([result(), result("code", seed=43, model="other")])


def test_published_rows():
    everything = PUBLISHED[PUBLISHED["model"] == "all"]
    assert len(PUBLISHED) == 4 * 54 + 27 - 1  # guess at 0.5 is in both tables
    assert len(everything) == 54 + 26
    for name in ("2.8b", "6.9b", "12b"):
        assert (PUBLISHED["model"] == name).sum() == 54


def test_published_matrices_give_the_published_f1():
    cells = pd.read_csv(ROOT / "published" / "confusion.csv")
    summed_up = {}
    for name, rows_of_tree in cells.groupby("taxonomy"):
        matrix = rows_of_tree.pivot_table(
            index="actual", columns="predicted", values="count"
        ).to_numpy()
        assert matrix.sum(1) == pytest.approx(144_000)
        summed_up[name] = round(100 * scores(matrix).f1.min(), 1)
    assert summed_up == {
        "recite-then-reconstruct": 64.7,
        "guess": 89.0,
        "recollect-then-code": 72.8,
    }


def test_published_values_stand_beside_their_variant():
    parts = [result("guess"), result("recite"), result("reconstruct")]
    table = with_published(rows(parts), PUBLISHED).set_index("taxonomy")
    assert table.loc["guess", "published_min_f1"] == 89.0
    assert table.loc["reconstruct", "published_min_f1"] == 87.7
    assert table.loc["guess", "difference"] == pytest.approx(100 * 12 / 18 - 89.0)
    assert table["published_rank"].to_dict() == {"guess": 1, "recite": 3, "reconstruct": 2}


def test_rank_correlation_by_hand():
    table = pd.DataFrame({"min_f1": [3, 2, 1, 9], "published_min_f1": [30, 10, 20, np.nan]})
    assert rank_correlation([3, 2, 1], [30, 10, 20])[0] == pytest.approx(0.5)  # 1 - 6 * 2 / (3 * 8)
    assert "(3 variants): Spearman 0.50 (" in agreement(table)
    assert agreement(table[:2]) == "2 published values: too few for a rank correlation."


def test_paired_t_by_hand():
    """Differences 1, 2 and 3: mean 2, standard error 0.577, t of 2 degrees of freedom 4.303."""
    test = paired_t(np.array([2.0, 4, 6]), np.array([1.0, 2, 3]))
    assert test["difference"] == pytest.approx(2)
    assert test["low"] == pytest.approx(2 - 4.3027 / 3**0.5, abs=1e-3)
    assert test["high"] == pytest.approx(2 + 4.3027 / 3**0.5, abs=1e-3)
    assert test["p"] == pytest.approx(0.0742, abs=1e-4)


def test_normalised_by_hand():
    assert normalised(1.0, 4) == 1
    assert normalised(1 / 3, 3) == pytest.approx(0)
    assert normalised(0.625, 4) == pytest.approx(0.5)


def votes(right, n=400, classes=2, shift=0, seed=0):
    random = np.random.default_rng(seed)
    actual = np.arange(n) % classes
    predicted = np.where(random.random(n) < right, actual, (actual + 1) % classes)
    return Votes(np.arange(n) + shift, actual, np.eye(classes, dtype=int)[predicted])


def test_paired_difference_of_a_variant_with_itself_is_nothing():
    same = votes(0.7)
    difference = paired_difference(same, same, 300, 0)
    assert (difference["difference"], difference["low"], difference["high"], difference["p"]) == (
        0,
        0,
        0,
        1,
    )


def test_paired_difference_finds_the_better_one():
    good, bad = votes(0.9), votes(0.6, seed=1)
    difference = paired_difference(good, bad, 500, 0)
    assert 0 < difference["low"] < difference["difference"] < difference["high"]
    assert difference["p"] < 0.05
    back = paired_difference(bad, good, 500, 0)
    assert back["difference"] == -difference["difference"]
    assert back["low"] == pytest.approx(-difference["high"])


def test_pairing_makes_the_interval_shorter():
    """Two variants that err on the same sequences differ less than on different ones."""
    good = votes(0.8)
    worse = Votes(good.sequence_ids, good.actual, good.counts.copy())
    worse.counts[:8] = worse.counts[:8, ::-1]
    width = {}
    for shift in (0, 10_000):
        moved = Votes(worse.sequence_ids + shift, worse.actual, worse.counts)
        difference = paired_difference(good, moved, 500, 0)
        width[shift] = difference["high"] - difference["low"]
    assert width[0] < width[10_000] / 2


def test_votes_are_summed_by_sequence():
    first = Votes(np.array([1, 2]), np.array([0, 1]), np.array([[3, 0], [1, 2]]))
    second = Votes(np.array([2, 5]), np.array([1, 0]), np.array([[0, 3], [3, 0]]))
    votes = summed([first, second])
    assert votes.sequence_ids.tolist() == [1, 2, 5]
    assert votes.actual.tolist() == [0, 1, 0]
    assert votes.counts.tolist() == [[3, 0], [1, 5], [3, 0]]


def test_a_key_that_dvc_wrote_without_quotes_is_the_same_key():
    quoted, bare = "cuts: {'off': [1], near: {a: 2}}", "cuts: {off: [1], near: {a: 2}}"
    expected = {"cuts.off": [1], "cuts.near.a": 2}
    for text in (quoted, bare):
        assert leaves(parse_yaml(text, "text")) == expected
