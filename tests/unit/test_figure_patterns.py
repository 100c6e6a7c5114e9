"""Figures of attention patterns, Δ maps and ablations."""

# the stubs of matplotlib and pandas take a value for any of several types
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportGeneralTypeIssues=false, reportIndexIssue=false, reportOperatorIssue=false
# pyright: reportOptionalMemberAccess=false

import numpy as np
import pytest

from guess_or_recall.report.ablation import ablation_curves, delta_against_ablation
from guess_or_recall.report.delta import delta_maps
from guess_or_recall.report.gallery import attention_gallery, shown_layers, shown_rows
from guess_or_recall.report.sequence import Words, sequence_figure, shown
from tests.figures import (
    NAMES,
    NUMBERS,
    PREFIX,
    ablation,
    agreement,
    attention,
    delta,
    profile,
    texts,
)


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
    figure = attention_gallery(patterns, np.array([2, 0, 2]), ids, NAMES[:3], PREFIX, NUMBERS)
    words = texts(figure)
    assert [t for t in words if "#" in t] == ["non-memorized #60", "recall #50", "recall #70"]
    columns = shown_layers(layers)
    assert [t for t in words if t.startswith("layer")] == [f"layer {layer}" for layer in columns]
    panels = [axes for axes in figure.axes if axes.get_images()]
    assert len(panels) == 3 * len(columns)
    drawn = panels[len(columns) + 1].get_images()[0].get_array()
    expected = patterns[0, columns[1]].astype(np.float64).mean(axis=0)
    lower = np.tril_indices(64)
    assert np.asarray(drawn)[lower] == pytest.approx(np.maximum(expected, 0.0005)[lower], rel=1e-5)
    assert (np.ma.getmaskarray(drawn) == (np.tri(64) == 0)).all()
    [boundary] = panels[0].get_lines()
    assert boundary.get_xydata().tolist() == [[-0.5, 31.5], [31.5, 31.5], [31.5, 63.5]]


@pytest.mark.parametrize(("prefix", "length"), [(50, 100), (32, 48), (3, 10)])
def test_patterns_of_any_lengths_are_parted_behind_the_prefix(prefix, length):
    patterns = np.tril(np.random.default_rng(0).random((2, 2, 1, length, length))).astype("f4")
    ids, names = np.arange(2), NAMES[:2]
    tokens = [str(place) for place in range(length)]
    figures = (
        attention_gallery(patterns, ids, ids, names, prefix, NUMBERS),
        delta_maps(patterns[:, :, 0], names, prefix, NUMBERS),
        sequence_figure(
            *(patterns[0, :, 0], patterns[1, :, 0]), Words(tokens, prefix), 0, "one", NUMBERS[:2]
        ),
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


# localization


@pytest.mark.parametrize(("layers", "columns"), [(2, 2), (8, 8), (12, 6), (36, 9), (40, 8)])
def test_every_layer_has_its_map(layers, columns):
    """Rows of layers under one another, each with its classes, normalised by the layer's top."""
    values = delta(3, layers)
    figure = delta_maps(values, NAMES[:3], PREFIX, NUMBERS)
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
    figure = delta_maps(values, NAMES[:2], PREFIX, NUMBERS)
    drawn = [axes.images[0].get_array() for axes in figure.axes[:6]]
    assert not drawn[1].any() and not drawn[4].any()
    assert max(drawn[0].max(), drawn[3].max()) == 1


def test_ablation_curves_hold_the_table():
    table = ablation(3)
    figure = ablation_curves(table, NAMES[:3], PREFIX)
    share, perplexity = figure.axes[:2]
    lines = {line.get_label(): line.get_ydata() for line in perplexity.lines}
    single = table[(table["how"] == "off") & (table["width"] == 1) & (table["class"] == "guess")]
    containers = {container.get_label(): container.lines[0] for container in perplexity.containers}
    assert lines
    assert list(containers) == list(NAMES[:3])
    np.testing.assert_array_equal(containers["guess"].get_ydata(), single["suffix_perplexity"])
    assert [container.get_label() for container in share.containers] == ["guess", "recall"]


def test_agreement_is_written_with_its_interval():
    figure = delta_against_ablation(profile(3), ablation(3), agreement(3), NAMES[:3])
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[0] == "non-memorized\nSpearman −0.50\n(−0.90 to 0.10)"
    assert titles[2] == "recall\nSpearman undefined"
    [points] = [line for line in figure.axes[1].lines if len(line.get_xdata()) == 8]
    guessed = ablation(3)[lambda t: t["class"] == "guess"].set_index(["how", "layers"])
    whole = guessed.loc[("whole", ""), "suffix_perplexity"]
    expected = np.log(guessed.loc[("off", "3"), "suffix_perplexity"] / whole)
    assert points.get_ydata()[3] == pytest.approx(expected)


def test_one_sequence_has_its_tokens_on_both_axes(tmp_path):
    tokens = [f"t{i}" for i in range(61)] + ["\n    ", "日本", "a long token"]
    patterns = attention(1, 3)[0].mean(1).astype(np.float32)
    words = Words(tokens, PREFIX)
    figure = sequence_figure(patterns, delta(1, 3)[0], words, 1, "7: recall", range(3))
    axes = figure.axes[0]
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [label.get_text() for label in labels] == [shown(token) for token in tokens]
    assert [shown(token) for token in tokens[-3:]] == ["⏎····", "□□", "a·long·…"]
    assert len(figure.axes) == 1 + 3
    figure.savefig(tmp_path / "one.pdf")  # warns of a letter that the font lacks
