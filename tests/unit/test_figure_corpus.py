"""Figures of what is memorized and of the classes: duplicates, flow, tree, planting, ROUGE."""

# the stubs of matplotlib and pandas take a value for any of several types
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportGeneralTypeIssues=false, reportIndexIssue=false, reportOperatorIssue=false
# pyright: reportOptionalMemberAccess=false

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.patches import PathPatch, Rectangle

from guess_or_recall.report.duplicates import (
    bin_edges,
    memorized_by_duplicates,
    shares_by_duplicates,
)
from guess_or_recall.report.flow import BARS, Classified, flow_counts, taxonomy_flow
from guess_or_recall.report.planting import class_by_planting, class_counts
from guess_or_recall.report.rouge import rouge_distribution
from guess_or_recall.report.style import compact
from guess_or_recall.report.tree import condition_text, decision_tree
from tests.figures import EXPRESSIONS, NAMES, THRESHOLDS, frame, texts

# duplicates


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=30))
@settings(max_examples=50, deadline=None)
def test_bins_hold_every_count(duplicates):
    edges = bin_edges(np.array(duplicates))
    assert edges[0] == 1 and edges[-2] <= max(duplicates) < edges[-1]
    assert len(edges) <= 12 and len({*(edges[1:] / edges[:-1])}) == 1


def test_shares_by_hand():
    data = pd.DataFrame(
        {
            "sequence_duplicates": [1, 1, 2, 3, 4, 10],
            "memorized": [False, True, True, True, False, True],
            "planted": ["background"] * 5 + ["distinct"],
        }
    )
    table = shares_by_duplicates(data)
    columns = ["kind", "low", "high", "n", "memorized", "share"]
    assert table[columns].to_numpy().tolist() == [
        ["background", 1, 1, 2, 1, 0.5],
        ["background", 2, 3, 2, 2, 1.0],
        ["background", 4, 7, 1, 0, 0.0],
        ["distinct", 8, 15, 1, 1, 1.0],
    ]


def test_duplicates_figure_shows_its_table():
    data = frame()
    table = shares_by_duplicates(data)
    figure = memorized_by_duplicates(data)
    upper, lower = figure.axes
    assert sorted(t.get_text() for t in lower.texts) == sorted(map(compact, table["n"]))
    for bars in upper.containers:
        rows = table[table["kind"] == bars.get_label()]
        points = bars.lines[0].get_ydata().astype(float)
        assert points[~np.isnan(points)] == pytest.approx(100 * rows["share"].to_numpy())
        ends = np.array(bars.lines[2][0].get_segments())[:, :, 1]
        ends = ends[~np.isnan(ends).any(axis=1)]
        assert ends == pytest.approx(100 * rows[["share_low", "share_high"]].to_numpy())


def test_a_line_does_not_cross_an_empty_bin():
    data = pd.DataFrame(
        {"sequence_duplicates": [1, 8], "memorized": [False, True], "planted": None}
    )
    [bars] = memorized_by_duplicates(data).axes[0].containers
    assert np.isnan(bars.lines[0].get_ydata().astype(float)).tolist() == [False, True, True, False]


@pytest.mark.parametrize("top", [1, 2, 5_000_000])
def test_duplicates_figure_without_planting(top):
    data = pd.DataFrame({"sequence_duplicates": [1, top], "memorized": True, "planted": None})
    figure = memorized_by_duplicates(data)
    assert figure.axes[0].get_legend() is None
    assert [bars.get_label() for bars in figure.axes[0].containers] == ["all sequences"]


# flow


def test_flow_counts_by_hand():
    source, target = np.array([0, 1, 1, 2, 2, 2]), np.array([0, 1, 2, 2, 2, 2])
    names = ("non-memorized", "a", "b")
    counts = flow_counts(Classified("x", names, source), Classified("y", names, target))
    assert counts.tolist() == [[1, 1], [0, 3]]


def test_flow_texts_and_ribbons():
    source = np.repeat([0, 1, 1, 2], [7, 30, 10, 60])
    target = np.repeat([0, 1, 2, 2], [7, 30, 10, 60])
    figure = taxonomy_flow(
        Classified("recite", ("non-memorized", "recite", "others"), source),
        Classified("guess", ("non-memorized", "guess", "recall"), target),
    )
    words = texts(figure)
    expected = ["recite 40 (40.0%)", "others 60 (60.0%)", "guess 30 (30.0%)", "recall 70 (70.0%)"]
    assert {*expected} <= {*words}
    assert {"30 (75.0%)", "10 (25.0%)", "60 (100.0%)"} <= {*words}
    assert "100 memorized sequences; 7 non-memorized not drawn" in words
    ribbons = [patch for patch in figure.axes[0].patches if isinstance(patch, PathPatch)]
    ends = [patch.get_path().vertices[[0, 7], 1] for patch in ribbons]
    assert sorted(top - bottom for top, bottom in ends) == pytest.approx(
        [BARS * share for share in (0.1, 0.3, 0.6)]
    )
    bars = [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    assert [bar.get_height() for bar in bars] == pytest.approx(
        [BARS * share for share in (0.4, 0.6, 0.3, 0.7)]
    )


def test_ribbons_tile_their_bars():
    labels = frame(classes=5)["label"].to_numpy()
    moved = np.where(labels, np.roll(labels, 1) % 3 + 1, 0)
    sides = Classified("a", NAMES[:5], labels), Classified("b", NAMES[:4], moved)
    patches = taxonomy_flow(*sides).axes[0].patches
    paths = [patch.get_path().vertices for patch in patches if isinstance(patch, PathPatch)]
    bars = [patch.get_bbox() for patch in patches if isinstance(patch, Rectangle)]
    assert len(bars) == 4 + 3
    left, right = (0, 7), (3, 4)
    for bar, (top, bottom) in zip(bars, [left] * 4 + [right] * 3, strict=True):
        ends = sorted((p[top][1], p[bottom][1]) for p in paths)[::-1]
        inside = [(a, b) for a, b in ends if bar.y0 < (a + b) / 2 < bar.y1]
        borders = [bar.y1, *(b for _, b in inside)]
        assert borders == pytest.approx([*(a for a, _ in inside), bar.y0])


# tree


@pytest.mark.parametrize(
    ("expression", "rho_l", "text"),
    [
        ("sequence_duplicates > delta", 0.5, "duplicates > 5"),
        ("sequence_duplicates <= delta", 0.5, "duplicates ≤ 5"),
        ("is_incrementing or is_repeating", 0.5, "incrementing or repeating"),
        (EXPRESSIONS[1], 0.5, "incrementing or repeating or ROUGE-L ≥ 0.5 or ROUGE-3 ≥ 0.25"),
        (EXPRESSIONS[1], np.inf, "incrementing or repeating or ROUGE-3 ≥ 0.25"),
        ("rouge_l >= rho_l", np.inf, "never (threshold off)"),
        ("not (rouge_l >= rho_l)", np.inf, "not (ROUGE-L ≥ ∞)"),
        ("0.1<=rouge_l<rho_l", 0.5, "0.1≤ROUGE-L<0.5"),
        ("delta_of_mine != 3", 0.5, "delta_of_mine ≠ 3"),
    ],
)
def test_condition_text(expression, rho_l, text):
    assert condition_text(expression, THRESHOLDS | {"rho_l": rho_l}) == text


@pytest.mark.parametrize("classes", range(2, 8))
def test_tree_shows_every_condition_class_and_count(classes):
    counts = np.arange(classes) * 1000
    conditions = [condition_text(text, THRESHOLDS) for text in EXPRESSIONS[: classes - 1]]
    words = texts(decision_tree(conditions, NAMES[:classes], counts))
    total = counts.sum()
    leaves = [
        f"{name} n = {count:,} ({100 * count / total:.1f}%)"
        for name, count in zip(NAMES, counts, strict=False)
    ]
    boxes = [f"all sequences n = {total:,}", *(f"{text}?" for text in conditions), *leaves]
    assert sorted(words) == sorted(boxes + ["yes", "no"] * (classes - 1))


# planting and rouge


def test_class_counts_by_hand():
    planted = pd.Series(["similar", "background", None, "similar", "distinct"])
    table = class_counts(np.array([1, 0, 2, 1, 2]), NAMES[:4], planted)
    assert table.index.tolist() == ["distinct", "similar", "unknown", "background"]
    assert table.to_numpy().tolist() == [[0, 0, 1, 0], [0, 2, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0]]


def test_planting_bars():
    labels = np.array([0, 0, 0, 1, 1, 1, 1, 0])
    planted = pd.Series(["background"] * 4 + ["distinct"] * 4)
    figure = class_by_planting(labels, NAMES[:3], planted)
    widths = [[bar.get_width() for bar in bars] for bars in figure.axes[0].containers]
    assert widths == [[25, 75], [75, 25], [0, 0]]
    words = texts(figure)
    assert {"distinct n = 4", "background n = 4", "3 75.0%", "1 25.0%"} <= {*words}
    assert {*NAMES[:3]} <= {*words}


@pytest.mark.parametrize("null", [None, np.nan, pd.NA])
def test_unknown_planting_is_one_bar(null):
    figure = class_by_planting(np.array([0, 1]), NAMES[:2], pd.Series([null, null], dtype=object))
    assert "all sequences n = 2" in texts(figure)


def test_rouge_histogram_by_hand():
    """One bin for each multiple of 1/32; 0.5 itself is at ρ, 15/32 is below."""
    values = np.array([15, 16, 16, 32, 0, 16]) / 32
    memorized = np.array([True, True, True, True, False, False])
    figure = rouge_distribution(values, memorized, 0.5, 64)
    heights = {
        patch.get_label().split(",")[0]: patch.get_data().values
        for patch in figure.axes[0].patches
        if not patch.get_label().startswith("_")
    }
    expected = np.zeros(33)
    expected[[15, 16, 32]] = 25, 50, 25
    assert heights["memorized"].tolist() == expected.tolist()
    words = texts(figure)
    assert "memorized, n = 4 75.0% at ρ or above" in words
    assert "non-memorized, n = 2 50.0% at ρ or above" in words
    assert "ρ = 0.5" in words
    assert figure.axes[0].get_lines()[0].get_xdata() == [0.5, 0.5]


@pytest.mark.parametrize(("prefix", "suffix"), [(50, 50), (32, 16), (7, 6), (16, 32)])
def test_every_rouge_l_that_lengths_allow_has_a_bin_of_its_own(prefix, suffix):
    """F of a common subsequence of k tokens: precision k / suffix, recall k / prefix."""
    common = np.arange(min(prefix, suffix) + 1)
    precision, recall = common[1:] / suffix, common[1:] / prefix
    f_measure = np.concatenate([[0], 2 * precision * recall / (precision + recall)])
    tokens = prefix + suffix
    figure = rouge_distribution(f_measure, np.ones(len(common), bool), 0.5, tokens)
    axes = figure.axes[0]
    heights = next(p.get_data().values for p in axes.patches if p.get_label().startswith("memo"))
    assert heights[: len(common)] == pytest.approx(100 / len(common))
    assert not heights[len(common) :].any()
    assert axes.get_xlim()[0] < 0 and axes.get_xlim()[1] > 1


def test_rouge_without_threshold():
    figure = rouge_distribution(np.array([0.5]), np.array([True]), np.inf, 64)
    assert "ROUGE-L threshold off" in texts(figure)
    assert not figure.axes[0].get_lines()
