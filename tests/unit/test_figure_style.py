"""What all figures share: text that can be read, bytes that stay, numbers as text."""

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
import pytest
from matplotlib.patches import FancyBboxPatch
from matplotlib.text import Text

from guess_or_recall.report import style
from guess_or_recall.report.rouge import rouge_distribution
from guess_or_recall.report.style import compact, percent, save
from tests.figures import every_figure, flow_figure, gallery_figure, tree_figure


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
        assert not any(box.overlaps(neighbour) for neighbour in boxes[index + 1 :])


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
    names = [file.name for file in sorted((tmp_path / "first").iterdir())]
    assert names == ["flow.pdf", "flow.png", "gallery.pdf", "gallery.png"]
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
