"""Figures are checked by their artists (texts, counts, positions) and their bytes, not by eye."""

# the stubs of matplotlib and pandas take a value for any of several types
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportGeneralTypeIssues=false, reportIndexIssue=false, reportOperatorIssue=false
# pyright: reportOptionalMemberAccess=false

import tempfile
import time
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as pyplot
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.patches import FancyBboxPatch, PathPatch, Rectangle
from matplotlib.text import Text
from safetensors.numpy import save_file
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix

from guess_or_recall.attention.gallery import write_gallery
from guess_or_recall.errors import UserError
from guess_or_recall.io import paths
from guess_or_recall.io.tables import token_column, write_table
from guess_or_recall.report import style
from guess_or_recall.report.ablation import ablation_curves, delta_against_ablation
from guess_or_recall.report.confusion import confusion_panels
from guess_or_recall.report.curves import learning_curves
from guess_or_recall.report.delta import delta_maps, delta_profile
from guess_or_recall.report.duplicates import (
    bin_edges,
    memorized_by_duplicates,
    shares_by_duplicates,
)
from guess_or_recall.report.flow import BARS, Classified, flow_counts, taxonomy_flow
from guess_or_recall.report.gallery import attention_gallery, shown_layers, shown_rows
from guess_or_recall.report.inputs import Inputs, labels_of, read_confusion
from guess_or_recall.report.planting import class_by_planting, class_counts
from guess_or_recall.report.rouge import rouge_distribution
from guess_or_recall.report.sequence import sequence_figure, shown
from guess_or_recall.report.study import FIGURES
from guess_or_recall.report.style import compact, percent, save
from guess_or_recall.report.tree import condition_text, decision_tree
from guess_or_recall.settings.figures import FiguresSettings
from guess_or_recall.settings.section import read_settings
from guess_or_recall.settings.yaml import read_yaml
from guess_or_recall.stages import figures as figures_stage
from guess_or_recall.statistics.intervals import wilson

ROOT = Path(__file__).parents[2]
NAMES = ("non-memorized", "guess", "recall", "a $ class $ with a long_name", "code", "url", "rare")
EXPRESSIONS = (
    "memorization_score < 1",
    "is_incrementing or is_repeating or rouge_l >= rho_l or rouge_3 >= rho_3",
    "sequence_duplicates > delta and not (is_code or rouge_l < 0.25 or prompt_perplexity > 10)",
    "is_code",
    "sequence_duplicates <= delta",
    "rouge_3 == 0",
)
PREFIX = 32
THRESHOLDS = {"delta": 5, "rho_l": 0.5, "rho_3": 0.25}


def texts(figure):
    """Every text that is shown, with no-break spaces and line breaks as plain spaces."""
    found = (text for text in figure.findobj(Text) if text.get_visible() and text.get_text())
    return [" ".join(text.get_text().split()) for text in found]


def frame(n=600, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    labels[:classes] = range(classes)
    return pd.DataFrame(
        {
            "sequence_duplicates": rng.geometric(0.2, n),
            "memorized": labels > 0,
            "label": labels,
            "rouge_l": rng.integers(0, 33, n) / 32,
            "planted": rng.choice(["distinct", "similar", "background"], n),
        }
    )


def attention(g, layers, heads=2, seed=0):
    logits = np.random.default_rng(seed).normal(size=(g, layers, heads, 64, 64))
    weights = np.exp(np.where(np.tri(64) > 0, logits, -np.inf))
    return (weights / weights.sum(-1, keepdims=True)).astype(np.float16)


CNNS = [f"k{k}-f{f}-{pooling}" for k in (6, 8) for f in (10, 16) for pooling in ("mean", "max")]


def history(cnns=CNNS, epochs=3):
    rows = [
        (cnn, epoch, 1 / epoch, 1.1 / epoch, 0.5, 0.1 * epoch)
        for cnn in cnns
        for epoch in range(1, epochs + 1)
    ]
    names = ["cnn", "epoch", "train_loss", "eval_loss", "eval_accuracy", "min_f1"]
    return pd.DataFrame(rows, columns=names)


def flow_figure(classes):
    labels = np.sort(frame(classes=classes)["label"].to_numpy())[::2]
    labels[: 300 - classes] = np.minimum(labels[: 300 - classes], 1)  # the others are rare
    labels[300 - classes :] = range(classes)
    target = Classified("one", ("non-memorized", "all"), np.minimum(labels, 1))
    return taxonomy_flow(Classified("mine", NAMES[:classes], labels), target)


def gallery_figure(classes, layers=3):
    ids = np.arange(classes) + 101_275_048
    patterns = attention(classes, layers)
    return attention_gallery(patterns, np.arange(classes), ids, NAMES[:classes], PREFIX)


def tree_figure(classes):
    conditions = [condition_text(text, THRESHOLDS) for text in EXPRESSIONS[: classes - 1]]
    return decision_tree(conditions, NAMES[:classes], np.arange(classes) * 1_234_567)


def profile(classes, layers=8):
    values = np.random.default_rng(0).random((classes, layers)) * 1e-3
    columns = {"delta": values, "low": values * 0.9, "high": values * 1.1}
    names = np.repeat(NAMES[:classes], layers)
    layer = np.tile(np.arange(layers), classes)
    flat = {name: value.ravel() for name, value in columns.items()}
    return pd.DataFrame({"class": names, "layer": layer, **flat})


def ablation(classes, layers=8):
    cuts = [("whole", "", 0, False)] + [("off", str(i), 1, False) for i in range(layers)]
    cuts += [("off", f"{i}-{i + 2}", 3, False) for i in range(layers - 2)]
    cuts += [("off", "0+2+5", 3, True), ("off", "1+2+7", 3, True)]
    cuts += [("only-prefix-to-suffix", str(i), 1, False) for i in range(layers)]
    rows = [(name, *cut) for name in NAMES[:classes] for cut in cuts]
    table = pd.DataFrame(rows, columns=["class", "how", "layers", "width", "drawn"])
    share = np.random.default_rng(1).random(len(table))
    for name, value in (("extractable", share), ("suffix_perplexity", 1 + 9 * share)):
        table[name], table[f"{name}_low"], table[f"{name}_high"] = value, 0.9 * value, 1.1 * value
    return table


def agreement(classes):
    names = ["how", "class", "layers", "spearman", "low", "high"]
    rows = [("off", name, 8, -0.5, -0.9, 0.1) for name in NAMES[: classes - 1]]
    return pd.DataFrame([*rows, ("off", NAMES[classes - 1], 8, *[np.nan] * 3)], columns=names)


def delta(classes, layers=8):
    return np.tril(np.random.default_rng(2).random((classes, layers, 64, 64)) ** 4).astype("f4")


def every_figure(classes):
    data, names = frame(classes=classes), NAMES[:classes]
    labels = data["label"].to_numpy()
    matrix = confusion_matrix(labels, np.roll(labels, 1)) * 997
    return {
        "duplicates": memorized_by_duplicates(data),
        "flow": flow_figure(classes),
        "gallery": gallery_figure(classes),
        "tree": tree_figure(classes),
        "confusion": confusion_panels({"all": matrix, "last": np.eye(classes, dtype=int)}, names),
        "curves": learning_curves(history(), classes),
        "planting": class_by_planting(labels, names, data["planted"]),
        "rouge": rouge_distribution(data["rouge_l"].to_numpy(), labels > 0, 0.5, 64),
        "delta": delta_maps(delta(classes), names, PREFIX),
        "profile": delta_profile(profile(classes), names),
        "ablation": ablation_curves(ablation(classes), names, PREFIX),
        "against": delta_against_ablation(
            profile(classes), ablation(classes), agreement(classes), names
        ),
    }


@pytest.mark.parametrize("classes", [2, 4, 7])
def test_all_text_is_readable_and_inside_the_page(classes):
    for name, figure in every_figure(classes).items():
        figure.draw_without_rendering()
        drawn, page = figure.get_tightbbox(), figure.bbox_inches.padded(0.005)
        assert page.x0 <= drawn.x0 and drawn.x1 <= page.x1 <= 7.01, name
        assert page.y0 <= drawn.y0 and drawn.y1 <= page.y1, name
        shown = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text()]
        assert min(text.get_fontsize() for text in shown) >= 8, name


@pytest.mark.parametrize("make", [tree_figure, flow_figure])
def test_hand_drawn_labels_do_not_overlap(make):
    figure = make(7)
    figure.draw_without_rendering()
    boxes = [t.get_window_extent() for t in figure.axes[0].texts if t.get_text()]
    for index, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[index + 1 :])


@pytest.mark.parametrize("classes", [2, 7])
def test_tree_boxes_hold_their_text(classes):
    figure = tree_figure(classes)
    figure.draw_without_rendering()
    boxes = [patch for patch in figure.axes[0].patches if isinstance(patch, FancyBboxPatch)]
    inside = [t for t in figure.axes[0].texts if t.get_text() not in ("yes", "no", "")]
    for box, text in zip(boxes, inside, strict=True):
        outer, inner = box.get_window_extent(), text.get_window_extent()
        assert outer.x0 < inner.x0 and inner.x1 < outer.x1, text.get_text()
        assert outer.y0 < inner.y0 and inner.y1 < outer.y1, text.get_text()


# saving


def test_two_saves_give_the_same_bytes_and_no_date(tmp_path):
    for folder in ("first", "second"):
        time.sleep(1.1 * (folder == "second"))  # a date in the bytes would differ
        save(flow_figure(3), tmp_path / folder, "flow")
        save(gallery_figure(2, layers=2), tmp_path / folder, "gallery")
    for file in sorted((tmp_path / "first").iterdir()):
        assert file.read_bytes() == (tmp_path / "second" / file.name).read_bytes()
    found = [file.name for file in sorted((tmp_path / "first").iterdir())]
    assert found == ["flow.pdf", "flow.png", "gallery.pdf", "gallery.png"]
    pdf = (tmp_path / "first" / "flow.pdf").read_bytes()
    assert b"CreationDate" not in pdf
    assert b"CIDFontType2" in pdf and b"/Type3" not in pdf  # TrueType text, not outlines


def test_figures_ignore_and_keep_the_users_settings(tmp_path):
    save(rouge_distribution(np.array([0.5, 0.25]), np.array([True, False]), 0.5, 64), tmp_path, "a")
    with mpl.rc_context({"font.size": 30, "lines.linewidth": 9, "savefig.facecolor": "red"}):
        before = dict(mpl.rcParams)
        save(
            rouge_distribution(np.array([0.5, 0.25]), np.array([True, False]), 0.5, 64),
            tmp_path,
            "b",
        )
        assert dict(mpl.rcParams) == before
    for suffix in ("png", "pdf"):
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


def test_drawing_leaves_no_figure_open():
    save(
        rouge_distribution(np.array([0.5]), np.array([True]), 0.5, 64),
        Path(tempfile.mkdtemp()),
        "a",
    )
    assert pyplot.get_fignums() == []


# numbers as text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (9999, "9,999"),
        (10_000, "10.0k"),
        (12_345, "12.3k"),
        (99_960, "100k"),
        (411_448, "411k"),
        (999_499, "999k"),
        (999_500, "1.00M"),
        (999_999, "1.00M"),
        (1_871_216, "1.87M"),
        (5_000_000, "5.00M"),
    ],
)
def test_compact_counts(number, text):
    assert compact(number) == text


def test_percent():
    assert percent(1, 3) == "33.3%"
    assert percent(0, 0) == "–"


def test_text_color_has_readable_contrast():
    """At least 4.5 to 1 on every class colour (WCAG AA), by a second formula for luminance."""
    for color in style.PALETTE:
        over, ground = (mpl.colors.to_rgb(c) for c in (style.text_color(color), color))
        light, dark = sorted(
            (np.dot([0.2126, 0.7152, 0.0722], np.power(c, 2.2)) for c in (over, ground)),
            reverse=True,
        )
        assert (light + 0.05) / (dark + 0.05) >= 4.5


# shares by duplicates


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
    found = texts(figure)
    expected = ["recite 40 (40.0%)", "others 60 (60.0%)", "guess 30 (30.0%)", "recall 70 (70.0%)"]
    assert {*expected} <= {*found}
    assert {"30 (75.0%)", "10 (25.0%)", "60 (100.0%)"} <= {*found}
    assert "100 memorized sequences; 7 non-memorized not drawn" in found
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
    other = np.where(labels, np.roll(labels, 1) % 3 + 1, 0)
    sides = Classified("a", NAMES[:5], labels), Classified("b", NAMES[:4], other)
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


# gallery


@pytest.mark.parametrize(
    ("layers", "shown"),
    [
        (1, [0]),
        (2, [0, 1]),
        (6, [0, 1, 2, 3, 4, 5]),
        (8, [0, 1, 3, 4, 6, 7]),
        (36, [0, 7, 14, 21, 28, 35]),
        (48, [0, 9, 19, 28, 38, 47]),
    ],
)
def test_shown_layers(layers, shown):
    assert shown_layers(layers).tolist() == shown


def test_shown_rows_are_even_and_grouped():
    assert shown_rows(np.array([1, 0, 1, 0, 1, 1, 1, 1, 1])).tolist() == [1, 3, 0, 2, 4, 5]
    assert shown_rows(np.repeat(np.arange(7), 3)).tolist() == [0, 3, 6, 9, 12, 15, 18]


@pytest.mark.parametrize("layers", [2, 8, 36])
def test_gallery_shows_the_mean_over_heads(layers):
    patterns, ids = attention(3, layers, heads=3), np.array([50, 60, 70])
    figure = attention_gallery(patterns, np.array([2, 0, 2]), ids, NAMES[:3], PREFIX)
    found = texts(figure)
    assert [t for t in found if "#" in t] == ["non-memorized #60", "recall #50", "recall #70"]
    columns = shown_layers(layers)
    assert [t for t in found if t.startswith("layer")] == [f"layer {layer}" for layer in columns]
    panels = [axes for axes in figure.axes if axes.get_images()]
    assert len(panels) == 3 * len(columns)
    drawn = panels[len(columns) + 1].get_images()[0].get_array()
    expected = patterns[0, columns[1]].astype(np.float64).mean(axis=0)
    lower = np.tril_indices(64)
    assert np.asarray(drawn)[lower] == pytest.approx(np.maximum(expected, 0.0005)[lower], rel=1e-5)
    assert (np.ma.getmaskarray(drawn) == (np.tri(64) == 0)).all()
    [boundary] = panels[0].get_lines()
    assert boundary.get_xydata().tolist() == [[-0.5, 31.5], [31.5, 31.5], [31.5, 63.5]]


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
    found = texts(decision_tree(conditions, NAMES[:classes], counts))
    total = counts.sum()
    leaves = [
        f"{name} n = {count:,} ({100 * count / total:.1f}%)"
        for name, count in zip(NAMES, counts, strict=False)
    ]
    boxes = [f"all sequences n = {total:,}", *(f"{text}?" for text in conditions), *leaves]
    assert sorted(found) == sorted(boxes + ["yes", "no"] * (classes - 1))


# confusion


def test_confusion_percents_by_hand():
    matrix = np.array([[3, 1], [0, 1200]])
    figure = confusion_panels({"only": matrix}, ("non-memorized", "memorized"))
    [axes] = figure.axes
    cells = {tuple(map(int, t.get_position())): t.get_text() for t in axes.texts}
    assert cells == {
        (0, 0): "3\n75.0%",
        (1, 0): "1\n25.0%",
        (0, 1): "0\n0.0%",
        (1, 1): "1,200\n100.0%",
    }
    assert np.asarray(axes.collections[0].get_array()).tolist() == [[0.75, 0.25], [0, 1]]
    assert {"non-memorized n = 4", "memorized n = 1,200", "only"} <= {*texts(figure)}


@pytest.mark.parametrize(("classes", "rows"), [(2, 1), (3, 1), (4, 1), (5, 2), (6, 2)])
def test_confusion_panels_fit_the_page(classes, rows):
    matrix = np.eye(classes, dtype=int)
    figure = confusion_panels({"all": matrix, "last": 2 * matrix}, NAMES[:classes])
    assert figure.axes[0].get_subplotspec().get_gridspec().nrows == rows
    assert [axes.get_title() for axes in figure.axes] == ["all", "last"]


def test_three_panels_leave_no_empty_axes_visible():
    matrix = np.eye(4, dtype=int)
    figure = confusion_panels(dict.fromkeys("abc", matrix), NAMES[:4])
    assert [axes.axison for axes in figure.axes] == [True, True, True, False]


# curves, planting, rouge


def test_curves_hold_the_history():
    table = history()
    figure = learning_curves(table.sample(frac=1, random_state=0), 3)
    for axes, column in zip(figure.axes, ["train_loss", "eval_loss", "min_f1"], strict=True):
        lines = {line.get_label(): line for line in axes.get_lines()}
        for cnn, rows in table.groupby("cnn"):
            assert lines[cnn].get_xydata().tolist() == rows[["epoch", column]].to_numpy().tolist()
    heights = [axes.get_lines()[-1].get_ydata()[0] for axes in figure.axes[:2]]
    assert heights == pytest.approx([np.log(3)] * 2)
    assert {*table["cnn"]} <= {*texts(figure)}


def test_curves_of_a_grid_look_different():
    lines = learning_curves(history(), 3).axes[0].get_lines()[:8]
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 8


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
    found = texts(figure)
    assert {"distinct n = 4", "background n = 4", "3 75.0%", "1 25.0%"} <= {*found}
    assert {*NAMES[:3]} <= {*found}


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
    found = texts(figure)
    assert "memorized, n = 4 75.0% at ρ or above" in found
    assert "non-memorized, n = 2 50.0% at ρ or above" in found
    assert "ρ = 0.5" in found
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


@pytest.mark.parametrize(("prefix", "length"), [(50, 100), (32, 48), (3, 10)])
def test_patterns_of_any_lengths_are_parted_behind_the_prefix(prefix, length):
    patterns = np.tril(np.random.default_rng(0).random((2, 2, 1, length, length))).astype("f4")
    ids, names = np.arange(2), NAMES[:2]
    tokens = [str(place) for place in range(length)]
    figures = (
        attention_gallery(patterns, ids, ids, names, prefix),
        delta_maps(patterns[:, :, 0], names, prefix),
        sequence_figure(patterns[0, :, 0], patterns[1, :, 0], tokens, prefix, 0, "one"),
    )
    border, end = prefix - 0.5, length - 0.5
    expected = [[-0.5, border], [border, border], [border, end]]
    for figure in figures:
        panels = [axes for axes in figure.axes if axes.images]
        assert len(panels) >= 3
        for axes in panels:
            assert axes.get_lines()[0].get_xydata().tolist() == expected
    panel = figures[0].axes[0]
    assert panel.get_xticks().tolist() == panel.get_yticks().tolist() == [0, prefix]


def test_the_extractable_share_is_named_by_the_prefix():
    figure = ablation_curves(ablation(2), NAMES[:2], 50)
    assert figure.axes[0].get_ylabel() == "share 50-extractable"


def test_rouge_without_threshold():
    figure = rouge_distribution(np.array([0.5]), np.array([True]), np.inf, 64)
    assert "ROUGE-L threshold off" in texts(figure)
    assert not figure.axes[0].get_lines()


# the stage


@pytest.fixture
def finished_run(workspace):
    """A finished run's files, made up, in an empty folder."""
    Path("params.yaml").write_text((ROOT / "params.yaml").read_text())
    write_tables(planted=True)
    patterns, ids = attention(6, 2), np.arange(0, 60, 10)
    write_gallery(paths.GALLERY, ids, patterns, np.zeros((6, 64), np.int32), {})
    paths.HISTORY.parent.mkdir(parents=True)
    history().to_csv(paths.HISTORY, index=False)
    write_confusion(("non-memorized", "guess", "recall"))
    write_localization(("non-memorized", "guess", "recall"))


def write_localization(names):
    for folder in (paths.LOCALIZE, paths.ABLATE):
        folder.mkdir(parents=True, exist_ok=True)
    save_file({"delta": delta(len(names))}, paths.DELTA)
    tables = {
        paths.PROFILE: profile(len(names)),
        paths.ABLATION: ablation(len(names)),
        paths.AGREEMENT: agreement(len(names)),
    }
    for path, table in tables.items():
        table["class"] = table["class"].map(dict(zip(NAMES, names, strict=False)))
        table.to_csv(path, index=False)


def write_tables(planted):
    rng, n = np.random.default_rng(0), 300
    kinds = pa.array(rng.choice(["distinct", "background"], n) if planted else [None] * n, "string")
    ids = pa.array(np.arange(n) * 5)
    perplexity = pa.array(rng.random(n), pa.float32())
    names = ("prompt_perplexity", "generation_perplexity", "sequence_perplexity")
    flags = ("is_incrementing", "is_repeating", "is_code")
    tables = {
        "sequences/sequences": {
            "tokens": token_column(np.zeros((n, 64), np.int32)),
            "text": pa.array(["text"] * n),
            "sequence_duplicates": pa.array(rng.geometric(0.1, n)),
            "planted": kinds,
            "planted_copies": pa.array([1] * n, pa.int64()),
        },
        "score/score": {
            "memorization_score": pa.array(rng.choice([1.0, 0.5], n)),
            **dict.fromkeys(names, perplexity),
        },
        "features/features": {
            "rouge_3": pa.array(rng.integers(0, 31, n) / 30),
            "rouge_l": pa.array(rng.integers(0, 33, n) / 32),
            **{flag: pa.array(rng.random(n) < 0.1) for flag in flags},
        },
    }
    for name, columns in tables.items():
        write_table(Path(f"data/{name}.parquet"), pa.table({"sequence_id": ids, **columns}))


def write_confusion(classes):
    rows = [
        (actual, predicted, 3 if actual == predicted else 1, epoch)
        for epoch in ("all", "last")
        for actual in classes
        for predicted in classes
    ]
    table = pd.DataFrame(rows, columns=["actual", "predicted", "count", "epoch"])
    paths.CONFUSION.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(paths.CONFUSION, index=False)


def test_stage_writes_every_figure(finished_run):
    figures_stage.main()
    written = {file.name: file.read_bytes() for file in Path("figures").iterdir()}
    assert set(written) == {f"{name}.{kind}" for name in FIGURES for kind in ("png", "pdf")}
    assert len(FIGURES) == 12
    assert all(len(content) < 150_000 for content in written.values())


def test_every_figure_is_a_plot_of_dvc():
    plots = [plot for plot in read_yaml(ROOT / "dvc.yaml")["plots"] if isinstance(plot, str)]
    assert plots == [f"figures/{name}.png" for name in FIGURES]


def test_stage_without_planting_and_with_a_tree_of_the_users(finished_run):
    write_tables(planted=False)
    text = Path("params.yaml").read_text()
    text = text.replace("taxonomy: guess ", "taxonomy: example-long-tail ")
    Path("params.yaml").write_text(text.replace("rho_l: rho ", "rho_l: off "))
    names = ("non-memorized", "famous", "template", "rare")
    write_confusion(names)
    write_localization(names)
    figures_stage.main()
    assert len(list(Path("figures").glob("*.p*"))) == 2 * len(FIGURES)


def test_confusion_titles_give_the_minimum_f1(finished_run):
    """3 right and 1 in each other cell, of three classes: F1 = 2 * 3 / (5 + 5)."""
    study = Inputs(read_settings(FiguresSettings))
    titles = [axes.get_title() for axes in FIGURES["confusion"](study).axes]
    assert titles == ["all CNNs, all epochs\nmin F1 0.60", "all CNNs, last epoch\nmin F1 0.60"]


def test_confusion_is_read_in_class_order(finished_run):
    table = pd.DataFrame(
        {
            "actual": ["NA", "1", "NA", "1"],
            "predicted": ["1"] * 4,
            "count": [2, 5, 3, 7],
            "epoch": ["all", "all", "last", "last"],
        }
    )
    table.to_csv(paths.CONFUSION, index=False)
    found = read_confusion(("1", "NA"))
    assert found["all"].tolist() == [[5, 0], [2, 0]] and found["last"].tolist() == [[7, 0], [3, 0]]


def test_confusion_of_another_taxonomy_is_refused(finished_run):
    with pytest.raises(
        UserError, match=r"confusion\.csv has the classes guess, non-mem.*dvc repro"
    ):
        read_confusion(("non-memorized", "recite", "others"))


def test_gallery_of_other_sequences_is_refused():
    with pytest.raises(UserError, match=r"gallery\.h5 shows sequence 7"):
        labels_of(np.array([5, 7]), np.array([5, 6]), np.array([0, 1], np.int8))


def test_missing_input_is_named(finished_run):
    paths.CONFUSION.unlink()
    with pytest.raises(UserError, match=r"data/evaluate/confusion\.csv is missing"):
        read_confusion(NAMES[:3])


# localization


@pytest.mark.parametrize(("layers", "columns"), [(2, 2), (8, 8), (12, 6), (36, 9), (40, 8)])
def test_every_layer_has_its_map(layers, columns):
    """Rows of layers under one another, each with its classes, normalised by the layer's top."""
    values = delta(3, layers)
    figure = delta_maps(values, NAMES[:3], PREFIX)
    panels = [axes for axes in figure.axes if axes.images and axes.get_xlim()[1] > 60]
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == [f"layer {layer}" for layer in range(layers)]
    assert len(panels) == 3 * layers
    assert figure.axes[0].get_gridspec().ncols == columns
    drawn = np.stack([axes.images[0].get_array().filled(0) for axes in panels])
    assert drawn.max() == 1
    first = panels[0].images[0].get_array().filled(0)
    np.testing.assert_allclose(first, values[0, 0] / values[:, 0].max(), rtol=1e-6)


def test_a_layer_without_delta_is_dark():
    values = delta(2, 3)
    values[:, 1] = 0
    drawn = [axes.images[0].get_array() for axes in delta_maps(values, NAMES[:2], PREFIX).axes[:6]]
    assert not drawn[1].any() and not drawn[4].any()
    assert max(drawn[0].max(), drawn[3].max()) == 1


def test_ablation_curves_hold_the_table():
    table = ablation(3)
    figure = ablation_curves(table, NAMES[:3], PREFIX)
    share, perplexity = figure.axes[:2]
    lines = {line.get_label(): line.get_ydata() for line in perplexity.lines}
    own = table[(table["how"] == "off") & (table["width"] == 1) & (table["class"] == "guess")]
    containers = {each.get_label(): each.lines[0] for each in perplexity.containers}
    assert lines
    assert list(containers) == list(NAMES[:3])
    np.testing.assert_array_equal(containers["guess"].get_ydata(), own["suffix_perplexity"])
    assert [each.get_label() for each in share.containers] == ["guess", "recall"]


def test_agreement_is_written_with_its_interval():
    figure = delta_against_ablation(profile(3), ablation(3), agreement(3), NAMES[:3])
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[0] == "non-memorized\nSpearman −0.50\n(−0.90 to 0.10)"
    assert titles[2] == "recall\nSpearman undefined"
    [points] = [line for line in figure.axes[1].lines if len(line.get_xdata()) == 8]
    own = ablation(3)[lambda t: t["class"] == "guess"].set_index(["how", "layers"])
    whole = own.loc[("whole", ""), "suffix_perplexity"]
    expected = np.log(own.loc[("off", "3"), "suffix_perplexity"] / whole)
    assert points.get_ydata()[3] == pytest.approx(expected)


def test_one_sequence_has_its_tokens_on_both_axes(tmp_path):
    tokens = [f"t{i}" for i in range(61)] + ["\n    ", "日本", "a long token"]
    patterns = attention(1, 3)[0].mean(1).astype(np.float32)
    figure = sequence_figure(patterns, delta(1, 3)[0], tokens, PREFIX, 1, "7: recall")
    axes = figure.axes[0]
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [label.get_text() for label in labels] == [shown(token) for token in tokens]
    assert [shown(token) for token in tokens[-3:]] == ["⏎····", "□□", "a·long·…"]
    assert len(figure.axes) == 1 + 3
    save(figure, tmp_path, "one")
