"""Figures are checked by their artists (texts, counts, positions), not by eye; the stage."""

# the stubs of matplotlib and pandas take a value for any of several types
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportGeneralTypeIssues=false, reportIndexIssue=false, reportOperatorIssue=false
# pyright: reportOptionalMemberAccess=false

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from guess_or_recall.attention.gallery import write_gallery
from guess_or_recall.errors import UserError
from guess_or_recall.io import paths
from guess_or_recall.report.confusion import confusion_panels
from guess_or_recall.report.curves import learning_curves
from guess_or_recall.report.inputs import Inputs, labels_of, read_confusion
from guess_or_recall.report.study import FIGURES
from guess_or_recall.settings.figures import FiguresSettings
from guess_or_recall.settings.section import read_settings
from guess_or_recall.settings.yaml import read_yaml
from guess_or_recall.stages import figures as figures_stage
from tests.conftest import ROOT
from tests.figures import (
    NAMES,
    attention,
    history,
    texts,
    write_confusion,
    write_evaluation,
    write_localization,
    write_tables,
)

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


# curves


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


def test_stage_writes_every_figure(finished_run):
    figures_stage.main()
    written = {file.name: file.read_bytes() for file in Path("figures").iterdir()}
    assert set(written) == {f"{name}.{kind}" for name in FIGURES for kind in ("png", "pdf")}
    assert len(FIGURES) == 12
    assert all(len(content) < 150_000 for content in written.values())


def test_every_figure_is_a_plot_of_dvc():
    plots = [plot for plot in read_yaml(ROOT / "dvc.yaml")["plots"] if isinstance(plot, str)]
    assert plots == [f"figures/{name}.png" for name in FIGURES]


def test_figures_without_planting_and_with_a_tree_of_the_users(finished_run):
    write_tables(planted=False)
    text = Path("params.yaml").read_text()
    text = text.replace("taxonomy: guess ", "taxonomy: example-long-tail ")
    Path("params.yaml").write_text(text.replace("rho_l: rho ", "rho_l: off "))
    names = ("non-memorized", "famous", "template", "rare")
    write_confusion(names)
    write_localization(names)
    study = Inputs(read_settings(FiguresSettings))
    drawn = {name: " ".join(texts(draw(study))) for name, draw in FIGURES.items()}
    assert all(name in drawn["decision_tree"] for name in names)
    assert all(name in drawn["delta_maps"] for name in names)
    assert "ROUGE-L threshold off" in drawn["rouge_distribution"]
    assert "planted" not in drawn["class_by_planting"]


def test_confusion_titles_give_the_minimum_f1(finished_run):
    """3 right and 1 in each other cell, of three classes: F1 = 2 * 3 / (5 + 5)."""
    study = Inputs(read_settings(FiguresSettings))
    titles = [axes.get_title() for axes in FIGURES["confusion"](study).axes]
    assert titles == ["all CNNs, all epochs\nmin F1 0.60", "all CNNs, last epoch\nmin F1 0.60"]


def test_no_map_is_drawn_where_the_cnns_are_not_above_chance(finished_run):
    write_evaluation(above_chance=False)
    study = Inputs(read_settings(FiguresSettings))
    for name in ("delta_maps", "delta_profile", "delta_against_ablation"):
        [said] = texts(FIGURES[name](study))
        assert said == (
            "Not drawn: the CNNs are not above chance, so that Δ means nothing. Their minimum F1 "
            "is 0.40, its 95% interval 0.32 to 0.50; chance is 0.33."
        )
    titles = [axes.get_title() for axes in FIGURES["confusion"](study).axes]
    assert "not above chance" in titles[1] and "chance" not in titles[0]


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
    matrices = read_confusion(("1", "NA"))
    assert matrices["all"].tolist() == [[5, 0], [2, 0]] and matrices["last"].tolist() == [
        [7, 0],
        [3, 0],
    ]


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
