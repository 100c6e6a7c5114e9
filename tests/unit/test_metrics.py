"""F1 from confusion matrices: by hand, against scikit-learn, and the published figures."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix as reference_confusion
from sklearn.metrics import precision_recall_fscore_support

from guess_or_recall.classifier.assessment import Evaluated, metrics, summary
from guess_or_recall.statistics.bootstrap import bootstrap_min_f1, draws
from guess_or_recall.statistics.f1 import confusion_matrix, cross_entropy, scores
from guess_or_recall.statistics.intervals import wilson
from guess_or_recall.statistics.repeats import paired_t, t_interval

PUBLISHED = Path(__file__).parents[2] / "published"


@pytest.mark.parametrize(("right", "above"), [(1.0, True), (0.55, True), (0.4, False)])
def test_above_chance_is_the_whole_interval(right, above):
    """CNNs that are right in so many of 600 sequences, and else guess evenly."""
    draw = np.random.default_rng(0)
    actual = np.repeat(np.arange(3, dtype=np.int8), 200)
    said = np.where(draw.random(600) < right, actual, (actual + draw.integers(1, 3, 600)) % 3)
    logits = np.eye(3, dtype=np.float32)[said][None, None]
    evaluated = Evaluated(["k6-f10-mean"], logits, np.arange(600), actual, ["a", "b", "c"])
    values = metrics(evaluated, 200, 0)
    assert values["above_chance"] is above
    assert values["last_epoch"]["min_f1"] > 1 / 3  # which alone would not do


def test_by_hand():
    confusion = np.array([[6, 2, 0], [1, 3, 0], [1, 3, 0]])
    of_classes = scores(confusion)
    assert of_classes.precision == pytest.approx([6 / 8, 3 / 8, 0])
    assert of_classes.recall == pytest.approx([6 / 8, 3 / 4, 0])
    assert of_classes.f1 == pytest.approx([0.75, 0.5, 0])
    over_classes = of_classes.summary()
    assert over_classes["min_f1"] == 0
    assert over_classes["mean_precision"] == pytest.approx((6 / 8 + 3 / 8) / 3)
    assert over_classes["min_recall"] == 0


def test_confusion_sums_over_cnns():
    matrix = confusion_matrix(np.array([0, 1, 1], np.int8), np.array([[0, 1, 0], [1, 1, 1]]), 2)
    assert matrix.tolist() == [[1, 1], [1, 3]]


@given(data=st.data(), classes=st.integers(2, 5), n=st.integers(1, 40))
def test_equals_scikit_learn(data, classes, n):
    label = st.lists(st.integers(0, classes - 1), min_size=n, max_size=n)
    actual, predicted = np.array(data.draw(label)), np.array(data.draw(label))
    confusion = confusion_matrix(actual, predicted, classes)
    names = list(range(classes))
    assert np.array_equal(confusion, reference_confusion(actual, predicted, labels=names))
    expected = precision_recall_fscore_support(actual, predicted, labels=names, zero_division=0)  # pyright: ignore[reportArgumentType] (stubs say str)
    of_classes = scores(confusion)
    np.testing.assert_allclose(
        [of_classes.precision, of_classes.recall, of_classes.f1], expected[:3]
    )


@pytest.mark.parametrize("taxonomy", ["recite-then-reconstruct", "guess", "recollect-then-code"])
def test_published_confusion_gives_the_published_row(taxonomy):
    """Only the rounding of the publication lies between its matrices and its table."""
    table = pd.read_csv(PUBLISHED / "confusion.csv").query("taxonomy == @taxonomy")
    names = table["actual"].unique()
    confusion = table.pivot_table(values="count", index="actual", columns="predicted")
    of_classes = scores(confusion.loc[names, names].to_numpy())
    rows = pd.read_csv(PUBLISHED / "benchmark.csv").query(
        "model_size == 'all' and taxonomy == @taxonomy"
    )
    delta = table["duplicates_threshold"].iloc[0]
    row = (rows if np.isnan(delta) else rows[rows["duplicates_threshold"] == delta]).iloc[0]
    expected = {"recite-then-reconstruct": 64.7, "guess": 89.0, "recollect-then-code": 72.8}
    assert row["min_f1"] == expected[taxonomy]
    for key, value in of_classes.summary().items():
        assert 100 * value == pytest.approx(row[key], abs=0.051), key


def test_cross_entropy_equals_torch():
    random = np.random.default_rng(0)
    logits = (random.standard_normal((2, 3, 20, 4)) * 30).astype(np.float32)
    actual = random.integers(4, size=20).astype(np.int8)
    expected = F.cross_entropy(
        torch.from_numpy(logits).double().permute(0, 3, 1, 2),
        torch.from_numpy(actual.astype(np.int64)).expand(2, 3, 20),
        reduction="none",
    )
    np.testing.assert_allclose(cross_entropy(logits, actual), expected.numpy(), rtol=1e-9)


def test_bootstrap_equals_a_naive_one():
    """The same resamples, with every prediction of every drawn sequence counted one by one."""
    random = np.random.default_rng(1)
    actual = np.arange(30) % 3
    predicted = np.where(random.random((4, 30)) < 0.6, actual, random.integers(3, size=(4, 30)))
    low, high = bootstrap_min_f1(actual, predicted, 3, 200, seed=5)
    minima = []
    for times in draws(np.random.default_rng(5), 30, 200).astype(int):
        rows = np.repeat(np.arange(30), times)
        confusion = confusion_matrix(actual[rows], predicted[:, rows], 3)
        minima.append(scores(confusion).f1.min())
    assert (low, high) == pytest.approx(tuple(np.quantile(minima, [0.025, 0.975])))
    assert low < high


def test_draws_are_resamples():
    weights = draws(np.random.default_rng(0), 50, 40)
    assert weights.shape == (40, 50)
    assert (weights.sum(1) == 50).all()
    assert abs(weights.var() - 1) < 0.15  # Poisson(1), nearly


def test_predictions_of_a_sequence_move_together():
    """Repeating every CNN says nothing new: the interval must not shrink."""
    random = np.random.default_rng(2)
    actual = np.arange(60) % 2
    predicted = np.where(random.random((1, 60)) < 0.7, actual, 1 - actual)
    alone = bootstrap_min_f1(actual, predicted, 2, 300, seed=1)
    assert bootstrap_min_f1(actual, np.repeat(predicted, 8, 0), 2, 300, seed=1) == pytest.approx(
        alone
    )


@settings(max_examples=20)
@given(st.integers(0, 2**31), st.integers(2, 4))
def test_interval_surrounds_and_repeats(seed, classes):
    random = np.random.default_rng(seed)
    actual = np.arange(200) % classes
    logits = random.standard_normal((2, 200, classes)) + 2 * np.eye(classes)[actual]
    metrics = summary(logits.astype(np.float32), actual, 200, seed)
    assert 0 <= metrics["min_f1_low"] <= metrics["min_f1"] + 0.05
    assert metrics["min_f1_low"] < metrics["min_f1_high"] <= 1
    assert metrics == summary(logits.astype(np.float32), actual, 200, seed)


def test_coverage_of_the_interval():
    """About 95 of 100 intervals hold the value that the sampling has."""
    random = np.random.default_rng(4)
    actual = np.arange(400) % 2
    truth = 0.7  # recall of both classes, hence F1 too
    hits = 0
    for seed in range(100):
        predicted = np.where(random.random((1, 400)) < truth, actual, 1 - actual)
        low, high = bootstrap_min_f1(actual, predicted, 2, 200, seed)
        hits += low <= truth <= high
    assert hits >= 80


def test_perfect_and_hopeless():
    actual = np.arange(12) % 3
    perfect = summary(9 * np.eye(3, dtype=np.float32)[actual][None], actual, 50, 0)
    assert perfect["min_f1"] == perfect["min_f1_low"] == perfect["mean_recall"] == 1
    hopeless = summary(np.tile(np.array([1, 0, 0], np.float32), (1, 12, 1)), actual, 50, 0)
    assert hopeless["min_f1"] == hopeless["min_f1_high"] == 0
    assert hopeless["mean_f1"] == pytest.approx(0.5 / 3)


def test_trainings_by_hand():
    """Differences 1, 2 and 3: mean 2, standard error 1/sqrt(3), t of 2 degrees of freedom 4.303."""
    first, second = np.array([5.0, 7.0, 9.0]), np.array([4.0, 5.0, 6.0])
    spread = 4.303 / np.sqrt(3)
    assert t_interval(first - second) == pytest.approx((2 - spread, 2 + spread), abs=1e-3)
    test = paired_t(first, second)
    assert (test["difference"], test["low"]) == pytest.approx((2, 2 - spread), abs=1e-3)
    assert test["high"] == pytest.approx(2 + spread, abs=1e-3)
    assert test["p"] == pytest.approx(0.0742, abs=1e-4)  # t = 3.464


def test_wilson_by_hand():
    """1 of 2 at z = 1.96: centre .5, half width z * sqrt(1/8 + z^2/16) / (1 + z^2/2)."""
    low, high = wilson(np.array([1, 0]), np.array([2, 10]))
    assert low[0] == pytest.approx(0.0945, abs=1e-4) and high[0] == pytest.approx(0.9055, abs=1e-4)
    assert low[1] == pytest.approx(0, abs=1e-15) and high[1] == pytest.approx(
        1.96**2 / (10 + 1.96**2), abs=1e-4
    )


@given(st.data(), st.integers(1, 5000), st.sampled_from([0.8, 0.95, 0.99]))
@settings(max_examples=50, deadline=None)
def test_wilson_equals_scipy(data, trials, level):
    successes = data.draw(st.integers(0, trials))
    [low], [high] = wilson(np.array([successes]), np.array([trials]), level)
    expected = binomtest(successes, trials).proportion_ci(level, method="wilson")
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-12)
