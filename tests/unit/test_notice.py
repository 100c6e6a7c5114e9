"""Commands draw no Δ of CNNs that are not above chance, and say so."""

# matplotlib's stubs take an image's array for None
# pyright: reportArgumentType=false, reportCallIssue=false, reportOptionalMemberAccess=false
# pyright: reportOptionalSubscript=false

from pathlib import Path

import numpy as np
import pytest

from guess_or_recall.attention.subset import read_subset
from guess_or_recall.classifier.saved import load_cnns
from guess_or_recall.commands import draw, sequence
from guess_or_recall.device import device
from guess_or_recall.errors import UserError
from guess_or_recall.io.paths import metrics_of
from guess_or_recall.report.notice import notice_of
from guess_or_recall.report.sequence import Words, sequence_figure
from guess_or_recall.report.subset import figures
from guess_or_recall.settings.params import read_params
from tests.figures import texts
from tests.made_study import CLASSES, FILE, main, write_evaluation
from tests.unit.test_audit import examination

SAID = (
    "Not drawn: the CNNs are not above chance, so that Δ means nothing. Their minimum F1 is 0.40, "
    "its 95% interval 0.32 to 0.50; chance is 0.33."
)


def test_draw_says_it_in_the_place_of_maps(study, capsys):
    main("small.h5", "--every-class", "--each", "1")
    write_evaluation(above_chance=False)
    draw.main(FILE)
    assert SAID in capsys.readouterr().out.replace("\n", " ")
    assert len(list(Path("results").glob("small_*.png"))) == 3
    cnns, _ = load_cnns(draw.TRAIN, device())
    drawn = dict(figures(FILE, read_subset(FILE), cnns, read_params(), notice_of(CLASSES)))
    assert list(drawn) == ["attention_gallery", "delta_maps", "delta_profile"]
    assert texts(drawn["delta_maps"]) == texts(drawn["delta_profile"]) == [SAID]
    assert SAID not in texts(drawn["attention_gallery"])


def test_metrics_of_other_classes_or_none_are_named(study):
    assert notice_of(CLASSES) is None
    write_evaluation(above_chance=True, classes=("non-memorized", "recite"))
    with pytest.raises(UserError, match=r"evaluate\.json is of the classes non-memorized, recite"):
        notice_of(CLASSES)
    metrics_of("evaluate").write_text('{"last_epoch": {}, "above_chance": false, "per_class": {}}')
    with pytest.raises(UserError, match=r"evaluate\.json is damaged: no metrics of `evaluate`"):
        notice_of(CLASSES)
    metrics_of("evaluate").unlink()
    with pytest.raises(UserError, match=r"^metrics/evaluate\.json is missing"):
        notice_of(CLASSES)


def test_one_sequence_is_described_without_delta(capsys):
    params = read_params(Path(__file__).parents[2] / "params.yaml")
    features = dict.fromkeys(
        ("sequence_duplicates", "memorization_score", "rouge_3", "rouge_l", "is_incrementing"), 1.0
    )
    known = examination(3, **features, is_repeating=False, is_code=False)
    known = known._replace(chances={"k6": np.full(4, 0.25, np.float32)})
    for notice in (None, SAID):
        sequence.describe("7", known, params, notice)
        said = capsys.readouterr().out.replace("\n", " ")
        assert (SAID in said) == (notice is not None) == ("darker: more Δ" not in said)


def test_its_figure_has_none():
    attention = np.tril(np.random.default_rng(0).random((2, 8, 8), np.float32))
    words = Words(list("abcdefgh"), 5)
    figure = sequence_figure(attention, None, words, 0, "7: recall", range(2))
    for axes in figure.axes:
        [grey, orange] = axes.images
        assert grey.get_array().max() > 0
        assert not orange.get_array()[..., 3].any()
    assert "no Δ: the CNNs are not above chance" in figure.axes[0].get_title()
