"""The command draw: the pictures of a subset are those of the study that it was taken from."""

# matplotlib's stubs take an image's array for None
# pyright: reportArgumentType=false, reportCallIssue=false

import shutil
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.text import Text
from safetensors.numpy import load_file

from guess_or_recall.attention.reading import read_pooled
from guess_or_recall.attention.subset import read_subset
from guess_or_recall.attention.triangle import unpack
from guess_or_recall.classifier.saved import load_cnns
from guess_or_recall.commands import draw
from guess_or_recall.commands.draw import main as draw_main
from guess_or_recall.errors import UserError
from guess_or_recall.localization.choice import LOCALIZED, chosen
from guess_or_recall.localization.delta import deltas
from guess_or_recall.report.delta import delta_maps, delta_profile
from guess_or_recall.report.gallery import attention_gallery
from guess_or_recall.report.sequence import Words, sequence_figure
from guess_or_recall.report.style import STYLE, class_colors, save_png
from guess_or_recall.settings.params import read_params
from tests.made_study import CLASSES, FILE, LAYERS, POOLINGS, STORE, labels, main, write_cnns


def pictures(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.png"))}


def drawn_elsewhere(monkeypatch, *arguments):
    """Pictures of draw where there is nothing but the file, params.yaml, data/train and metrics."""
    laptop = Path("laptop").absolute()
    for folder in ("data/train", "metrics"):
        shutil.copytree(folder, laptop / folder)
    for name in ("params.yaml", FILE):
        shutil.copy(name, laptop)
    monkeypatch.chdir(laptop)
    draw_main(FILE, *arguments)
    return pictures(laptop / "results")


def test_the_pictures_are_those_of_the_store(study, monkeypatch):
    """Of localize's own sequences: the maps and profiles that the stage made of the shards."""
    main("small.h5", "--every-class", "--each", "3", "--part", "eval")
    rows = chosen(labels(), labels().is_eval, 3, 42, LOCALIZED)
    ids, classes = labels().sequence_ids[rows], labels().labels[rows]
    mean = unpack(torch.from_numpy(read_pooled(STORE, ids, "mean"))).numpy()[:, :, None]
    maps = load_file("data/localize/delta.safetensors")["delta"]
    table = pd.read_csv("data/localize/profile.csv")
    expected = {
        "small_attention_gallery": attention_gallery(
            mean, classes, ids, CLASSES, 32, range(LAYERS)
        ),
        "small_delta_maps": delta_maps(maps, CLASSES, 32, range(LAYERS)),
        "small_delta_profile": delta_profile(table, CLASSES),
    }
    with matplotlib.rc_context(STYLE):
        for name, figure in expected.items():
            save_png(figure, Path(f"{name}.png"))
    wanted = pictures(Path.cwd())
    drawn = drawn_elsewhere(monkeypatch)
    assert list(drawn) == list(wanted)
    assert [name for name in wanted if drawn[name] != wanted[name]] == []
    assert len(list(Path("results").iterdir())) == 6
    assert not Path("data/attention").exists()


def test_delta_and_one_sequence_are_those_of_the_store(study):
    main("small.h5", "--every-class", "--each", "1")
    said, cnns = read_subset(FILE), load_cnns(draw.TRAIN, torch.device("cpu"))[0]
    both = []
    for store in (STORE, FILE):
        pooled = {name: read_pooled(store, said.sequence_id, name) for name in POOLINGS}
        result = deltas(cnns, pooled, said.label, "guided", 32, quiet=True)
        mean = unpack(torch.from_numpy(pooled["mean"][0]).float()).numpy()
        words = [str(token) for token in said.tokens[0]]
        maps, numbers = result.maps[said.label[0]], range(LAYERS)
        figure = sequence_figure(mean, maps, Words(words, 32), 1, "one", numbers)
        images = [image.get_array() for axes in figure.axes for image in axes.images]
        both.append((result.maps, result.profiles, *images))
    assert both[0][0].max() > 0 and len(both[0]) == 2 + 2 * (1 + LAYERS)
    for first, second in zip(*both, strict=True):
        np.testing.assert_array_equal(first, second)


def named(figure):
    """The classes that a figure names, on an axis (before an id) or in a legend."""
    texts = {text.get_text().split("\n")[0] for text in figure.findobj(Text)}
    return texts & {*CLASSES}


def to_hex_upper(color):
    return to_hex(color).upper()


def test_classes_without_sequences_are_left_out(study):
    main("small.h5", "--class", "guess", "--each", "3")
    said, cnns = read_subset(FILE), load_cnns(draw.TRAIN, torch.device("cpu"))[0]
    color = class_colors(CLASSES)[1]
    for name, figure in draw.figures(FILE, said, cnns, read_params()):
        assert named(figure) == {"guess"}, name
        axes = figure.axes[0]
        drawn = [axes.spines["left"].get_edgecolor(), *(line.get_color() for line in axes.lines)]
        assert color in map(to_hex_upper, drawn), name  # as where all classes are
        values = [
            np.ma.filled(image.get_array(), 0) for axes in figure.axes for image in axes.images
        ]
        lines = [line.get_ydata() for line in figure.axes[0].lines]
        assert np.isfinite(np.concatenate([np.ravel(array) for array in [*values, *lines]])).all()
        if name == "delta_maps":
            assert len([image for image in values if image.max() == 1]) == LAYERS


def test_cnns_of_other_classes_or_another_model_are_refused(study):
    main("small.h5", "--every-class", "--each", "2")
    write_cnns(classes=("non-memorized", "recite", "others"))
    with pytest.raises(
        UserError, match=r"of the classes non-memorized, recite, others, small\.h5 of non-mem"
    ) as error:
        draw_main(FILE)
    assert "guess rho=0.5" in str(error.value)
    write_cnns(layers=LAYERS + 1)
    with pytest.raises(UserError, match=r"a model of 3 layers, small\.h5 of one of 2: take"):
        draw_main(FILE)
    assert not Path("results").exists()


def test_sequences_of_another_length_than_params_are_refused(study):
    main("small.h5", "--class", "guess", "--each", "2")
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("suffix: 32", "suffix: 16"))
    with pytest.raises(UserError, match=r"small\.h5 is of sequences of 64 tokens, .* of 48"):
        draw_main(FILE)


def test_another_variant_of_the_same_classes_is_noted(study, capsys):
    main("small.h5", "--every-class", "--each", "2")
    said, params = read_subset(FILE), read_params()
    capsys.readouterr()
    draw.note_variant(FILE, said, params)
    assert capsys.readouterr().err == ""
    draw.note_variant(FILE, said, params.model_copy(update={"rho_3": "off"}))
    note = capsys.readouterr().err
    assert "small.h5 is of guess rho=0.5, params.yaml of guess rho_l=0.5: " in note
    assert note.count("\n") == 1


def test_what_is_no_subset_is_not_drawn(study):
    for name, said in (
        ("data/attention/shard-00000.h5", r"shard-00000\.h5 is no subset: .*gor subset"),
        ("nowhere.h5", r"nowhere\.h5 is missing: `gor subset` makes it"),
        ("params.yaml", r"params\.yaml is truncated or corrupt"),
    ):
        with pytest.raises(UserError, match=said):
            draw_main(Path(name))
