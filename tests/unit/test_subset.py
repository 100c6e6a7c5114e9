"""The commands subset and draw, on a study of a few made sequences in which the stages ran."""

# matplotlib's stubs take an image's array for None
# pyright: reportArgumentType=false, reportCallIssue=false

import shutil
import time
from dataclasses import asdict
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from matplotlib.text import Text
from safetensors.numpy import load_file
from safetensors.torch import save_file

from guess_or_recall.attention.gallery import read_gallery, write_gallery
from guess_or_recall.attention.reading import read_pooled
from guess_or_recall.attention.store import shard_path, write_shard, write_view
from guess_or_recall.attention.subset import Subset, read_subset, write_subset
from guess_or_recall.attention.triangle import packed_size, unpack
from guess_or_recall.classifier.cnn import Architecture, Cnn
from guess_or_recall.classifier.saved import load_cnns
from guess_or_recall.cli import load
from guess_or_recall.commands import draw
from guess_or_recall.commands import subset as command
from guess_or_recall.commands.draw import main as draw_main
from guess_or_recall.errors import UserError
from guess_or_recall.io.files import read_json, write_json
from guess_or_recall.io.paths import LABELS
from guess_or_recall.io.tables import token_column, token_matrix, write_table
from guess_or_recall.localization.choice import LOCALIZED, chosen
from guess_or_recall.localization.delta import deltas
from guess_or_recall.report.delta import delta_maps, delta_profile
from guess_or_recall.report.gallery import attention_gallery
from guess_or_recall.report.sequence import sequence_figure
from guess_or_recall.report.style import STYLE, class_colors, save_png
from guess_or_recall.settings.params import read_params
from guess_or_recall.settings.yaml import dump_yaml, read_yaml
from guess_or_recall.stages import label as label_stage
from guess_or_recall.stages import localize as localize_stage
from guess_or_recall.stages import pool as pool_stage
from guess_or_recall.taxonomy.labels import read_labels
from tests.conftest import ROOT

CLASSES = ["non-memorized", "guess", "recall"]
POOLINGS = ("mean", "max")
STORE = Path("data/attention")
FILE = Path("small.h5")
COUNT, LAYERS, SHARD, OWN = 150, 2, 20, 7
UNDECODED = 3  # every third of those that are not memorized has no known continuation


def write_params(train):
    content = read_yaml(ROOT / "profiles" / "default.yaml")
    content["samples"] |= {"train": train, "eval": 5}
    content["pool"] = {"taxonomies": ["guess", "recite"], "deltas": [50], "rhos": [0.5]}
    content["attention"] |= {"gallery": 2}
    content["localize"] |= {"sequences": 3, "batch": 2, "bootstrap": 50}
    Path("params.yaml").write_text(dump_yaml(content))


def write_tables():
    rng, ids = np.random.default_rng(0), pa.array(np.arange(COUNT) * OWN + 2**40)
    tokens = rng.integers(0, 99, (COUNT, 64), dtype=np.int32)
    continuation = (99 - tokens[:, 32:]).astype(np.int32)
    continuation[::UNDECODED] = -1
    perplexity = pa.array(rng.random(COUNT), pa.float32())
    names = ("prompt_perplexity", "generation_perplexity", "sequence_perplexity")
    flags = ("is_incrementing", "is_repeating", "is_code")
    tables = {
        "sequences": {
            "tokens": token_column(tokens),
            "sequence_duplicates": pa.array(rng.choice([1, 60], COUNT)),
            "planted": pa.array(["distinct"] * COUNT),
        },
        "score": {
            "memorization_score": pa.array(rng.choice([1.0, 1.0, 0.5], COUNT)),
            "continuation": token_column(continuation),
            **dict.fromkeys(names, perplexity),
        },
        "features": {
            "rouge_3": pa.array(np.zeros(COUNT)),
            "rouge_l": pa.array(rng.choice([0.2, 0.7], COUNT)),
            **{flag: pa.array(np.zeros(COUNT, bool)) for flag in flags},
        },
    }
    for name, columns in tables.items():
        write_table(Path(f"data/{name}/{name}.parquet"), pa.table({"sequence_id": ids, **columns}))


def write_attention():
    table, rng = pq.read_table("data/pool/pool.parquet"), np.random.default_rng(1)
    ids, marked = (table[name].to_numpy() for name in ("sequence_id", "gallery"))
    pooled = rng.random((2, len(ids), LAYERS, packed_size(64))).astype(np.float16)
    provenance = {"model": "made", "weights": "abc", "batch": 8}
    starts = range(0, len(ids), SHARD)
    for index, start in enumerate(starts):
        rows = slice(start, start + SHARD)
        write_shard(shard_path(STORE, index), ids[rows], pooled[:, rows], provenance)
    write_view(STORE, len(starts), provenance)
    heads = np.zeros((marked.sum(), LAYERS, 4, 64, 64), np.float16)
    tokens = np.zeros((marked.sum(), 64), np.int32)
    write_gallery(Path("data/gallery/gallery.h5"), ids[marked], heads, tokens, provenance)


def write_cnns(classes=tuple(CLASSES), layers=LAYERS):
    torch.manual_seed(0)
    grid = [Architecture(6, 3, pooling) for pooling in POOLINGS]
    weights = {
        f"{one.name}/{name}": value
        for one in grid
        for name, value in Cnn(one, layers, len(classes), 64).state_dict().items()
    }
    Path("data/train").mkdir(parents=True, exist_ok=True)
    save_file(weights, "data/train/cnns.safetensors")
    listed = {one.name: asdict(one) for one in grid}
    described = {"grid": listed, "classes": list(classes), "layers": layers, "length": 64}
    write_json(Path("data/train/cnns.json"), described)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder in which the stages up to localize ran."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_params(train=15)
        write_tables()
        pool_stage.main()
        write_params(train=6)  # the pool has more than the variant samples
        write_attention()
        label_stage.main()
        write_cnns()
        localize_stage.main()
    return folder


@pytest.fixture
def study(workspace, finished):
    """A copy of it, the working folder."""
    return Path(shutil.copytree(finished, workspace, dirs_exist_ok=True))


def main(*arguments):
    """The command as the command line calls it."""
    program = typer.Typer()
    program.command()(command.main)
    typer.main.get_command(program).main(list(arguments), standalone_mode=False)


def of_classes(*names):
    return [word for name in names for word in ("--class", name)]


def by_id(*ids):
    return [word for sequence_id in ids for word in ("--id", sequence_id)]


def labels():
    return read_labels(LABELS)


def in_pool():
    return pq.read_table("data/pool/pool.parquet")["sequence_id"].to_numpy()


def pictures(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.png"))}


# what is read


@pytest.mark.parametrize("pooling", POOLINGS)
def test_it_reads_as_the_store_does_in_any_order(study, pooling):
    main("small.h5", "--every-class", "--each", "4")
    ids = read_subset(FILE).sequence_id
    assert len(ids) == 12
    for asked in (ids, ids[::-1], np.random.default_rng(0).choice(ids, 30), ids[:0], ids[[3]]):
        found = read_pooled(FILE, asked, pooling)
        assert found.dtype == np.float16
        np.testing.assert_array_equal(found, read_pooled(STORE, asked, pooling))


def test_a_sequence_that_it_lacks_is_named_with_the_way_out(study):
    main("small.h5", "--every-class", "--each", "4")
    kept, absent = read_subset(FILE).sequence_id[0], np.setdiff1d(in_pool(), labels().sequence_ids)
    with pytest.raises(UserError, match=rf"small.h5 lacks 1 of 2 .*{absent[0]}: .*subset --id"):
        read_pooled(FILE, np.array([kept, absent[0]]), "max")
    with pytest.raises(UserError, match=r"pooling 'median' is unknown"):
        read_pooled(FILE, np.array([kept]), "median")


def test_its_gallery_is_the_mean_as_one_head(study):
    main("small.h5", "--class", "guess", "--each", "3")
    ids, patterns, tokens = read_gallery(FILE)
    mean = unpack(torch.from_numpy(read_pooled(STORE, ids, "mean"))).numpy()
    assert patterns.shape == (3, LAYERS, 1, 64, 64) and patterns.dtype == np.float16
    np.testing.assert_array_equal(patterns[:, :, 0], mean)
    np.testing.assert_array_equal(tokens, read_subset(FILE).tokens)


def test_tokens_are_those_that_were_studied(study):
    """Memorized: the text; else the model's own suffix, unknown for every third sequence."""
    main("small.h5", "--every-class", "--each", "11")
    found = read_subset(FILE)
    row = (found.sequence_id - 2**40) // OWN
    true = token_matrix(pq.read_table("data/sequences/sequences.parquet")["tokens"])[row]
    score = pq.read_table("data/score/score.parquet")["memorization_score"].to_numpy()[row]
    unknown = (row % UNDECODED == 0) & (score < 1)
    expected = true.copy()
    expected[score < 1, 32:] = 99 - true[score < 1, 32:]
    expected[unknown, 32:] = -1
    assert found.tokens.dtype == np.int32
    assert 0 < unknown.sum() < (score < 1).sum() < len(row)
    np.testing.assert_array_equal(found.tokens, expected)


def test_it_says_what_it_was_made_of(study):
    main("small.h5", "--every-class", "--each", "11")
    found = read_subset(FILE)
    assert found.classes == CLASSES
    assert found.variant == "guess rho=0.5"
    assert found.provenance == read_json(STORE / "provenance.json")
    assert found.provenance["weights"] == "abc"
    assert found.label.dtype == np.int8
    np.testing.assert_array_equal(found.sequence_id, labels().sequence_ids)
    np.testing.assert_array_equal(found.label, labels().labels)


# what is chosen


def test_it_takes_the_sequences_of_localize(study):
    main("small.h5", *of_classes(*CLASSES), "--each", "3", "--part", "eval")
    expected = pq.read_table("data/localize/profiles.parquet")
    np.testing.assert_array_equal(read_subset(FILE).sequence_id, expected["sequence_id"])
    np.testing.assert_array_equal(read_subset(FILE).label, expected["label"])
    main("other.h5", "--every-class", "--each", "3", "--part", "eval")  # no name: every class
    assert Path("other.h5").read_bytes() == FILE.read_bytes()


@pytest.mark.parametrize(
    ("part", "sizes"), [(["--part", "train"], 6), (["--part", "eval"], 5), ([], 11)]
)
def test_a_part_of_a_class(study, part, sizes):
    main("all.h5", "--class", "guess", *part)  # 20 of each, more than there are
    main("few.h5", "--class", "guess", "--each", "4", *part)
    main("two.h5", "--class", "guess", "--each", "2", *part)
    names = ("all.h5", "few.h5", "two.h5")
    whole, few, two = (read_subset(Path(name)).sequence_id for name in names)
    rows = labels().labels == 1
    if part:
        rows &= labels().is_eval == (part[1] == "eval")
    np.testing.assert_array_equal(whole, labels().sequence_ids[rows])
    assert (len(whole), len(few), len(two)) == (sizes, 4, 2)
    assert {*two} < {*few} < {*whole}


def test_choices_unite(study):
    main("guess.h5", "--class", "guess", "--each", "2")
    some, gallery = in_pool()[[7, 3]], read_gallery(Path("data/gallery/gallery.h5"))[0]
    twice = str(gallery[0])
    named = [*map(str, some), twice]
    main("small.h5", "--class", "guess", "--each", "2", "--gallery", *by_id(*named))
    expected = np.unique([*read_subset(Path("guess.h5")).sequence_id, *some, *gallery])
    np.testing.assert_array_equal(read_subset(FILE).sequence_id, expected)
    assert len(expected) > len(gallery) + 2


def test_a_sequence_that_the_variant_did_not_sample_has_its_class(study):
    ids = np.setdiff1d(in_pool(), labels().sequence_ids)
    main("small.h5", *by_id(*map(str, ids)))
    found, row = read_subset(FILE), (ids - 2**40) // OWN
    score = pq.read_table("data/score/score.parquet")["memorization_score"].to_numpy()[row]
    overlap = pq.read_table("data/features/features.parquet")["rouge_l"].to_numpy()[row]
    np.testing.assert_array_equal(found.sequence_id, ids)
    assert len({*found.label}) > 1
    np.testing.assert_array_equal(
        found.label, np.where(score < 1, 0, np.where(overlap >= 0.5, 1, 2))
    )


def test_it_prints_one_line(study, capsys):
    capsys.readouterr()
    main("small.h5", *of_classes("guess", "recall"), "--each", "4")
    size, whole = FILE.stat().st_size, sum(path.stat().st_size for path in STORE.glob("shard-*"))
    assert capsys.readouterr().out == (
        f"small.h5: non-memorized 0, guess 4, recall 4; {size:,} bytes, "
        f"{100 * size / whole:.1f}% of the {whole:,} of the shards\n"
    )


def test_it_is_small(study):
    """No more than its share of the shards, and what an empty HDF5 file takes."""
    main("small.h5", "--every-class", "--each", "1")
    shards = sum(path.stat().st_size for path in STORE.glob("shard-*.h5"))
    assert FILE.stat().st_size < 3 / len(in_pool()) * shards + 10_000
    assert FILE.stat().st_size < shards / 5


# what is drawn


def drawn_elsewhere(monkeypatch, *arguments):
    """Pictures of draw where there is nothing but the file, params.yaml and data/train."""
    laptop = Path("laptop").absolute()
    shutil.copytree("data/train", laptop / "data/train")
    for name in ("params.yaml", FILE):
        shutil.copy(name, laptop)
    monkeypatch.chdir(laptop)
    draw_main(FILE, *arguments)
    return pictures(laptop / "results")


def test_the_pictures_are_those_of_the_store(study, monkeypatch):
    """Of localize's own sequences: the maps and profiles that the stage made of the shards."""
    main("small.h5", "--every-class", "--each", "3", "--part", "eval")
    rows = chosen(labels(), labels().is_eval, 3, 42, LOCALIZED)
    ids, own = labels().sequence_ids[rows], labels().labels[rows]
    mean = unpack(torch.from_numpy(read_pooled(STORE, ids, "mean"))).numpy()[:, :, None]
    maps = load_file("data/localize/delta.safetensors")["delta"]
    table = pd.read_csv("data/localize/profile.csv")
    expected = {
        "small_attention_gallery": attention_gallery(mean, own, ids, CLASSES, 32),
        "small_delta_maps": delta_maps(maps, CLASSES, 32),
        "small_delta_profile": delta_profile(table, CLASSES),
    }
    with matplotlib.rc_context(STYLE):
        for name, figure in expected.items():
            save_png(figure, Path(f"{name}.png"))
    wanted = pictures(Path.cwd())
    found = drawn_elsewhere(monkeypatch)
    assert list(found) == list(wanted)
    assert [name for name in wanted if found[name] != wanted[name]] == []
    assert len(list(Path("results").iterdir())) == 6
    assert not Path("data/attention").exists()


def test_delta_and_one_sequence_are_those_of_the_store(study):
    main("small.h5", "--every-class", "--each", "1")
    said, cnns = read_subset(FILE), load_cnns(draw.TRAIN, torch.device("cpu"))[0]
    both = []
    for store in (STORE, FILE):
        pooled = {name: read_pooled(store, said.sequence_id, name) for name in POOLINGS}
        found = deltas(cnns, pooled, said.label, "guided", 32, quiet=True)
        mean = unpack(torch.from_numpy(pooled["mean"][0]).float()).numpy()
        words = [str(token) for token in said.tokens[0]]
        figure = sequence_figure(mean, found.maps[said.label[0]], words, 32, 1, "one")
        images = [image.get_array() for axes in figure.axes for image in axes.images]
        both.append((found.maps, found.profiles, *images))
    assert both[0][0].max() > 0 and len(both[0]) == 2 + 2 * (1 + LAYERS)
    for one, other in zip(*both, strict=True):
        np.testing.assert_array_equal(one, other)


def named(figure):
    """The classes that a figure names, on an axis (before an id) or in a legend."""
    texts = {text.get_text().split("\n")[0] for text in figure.findobj(Text)}
    return texts & {*CLASSES}


def to_hex_upper(color):
    return to_hex(color).upper()


def test_classes_without_sequences_are_left_out(study):
    main("small.h5", "--class", "guess", "--each", "3")
    said, cnns = read_subset(FILE), load_cnns(draw.TRAIN, torch.device("cpu"))[0]
    own = class_colors(CLASSES)[1]
    for name, figure in draw.figures(FILE, said, cnns, read_params()):
        assert named(figure) == {"guess"}, name
        axes = figure.axes[0]
        drawn = [axes.spines["left"].get_edgecolor(), *(line.get_color() for line in axes.lines)]
        assert own in map(to_hex_upper, drawn), name  # as where all classes are
        values = [np.ma.filled(one.get_array(), 0) for axes in figure.axes for one in axes.images]
        lines = [line.get_ydata() for line in figure.axes[0].lines]
        assert np.isfinite(np.concatenate([np.ravel(each) for each in [*values, *lines]])).all()
        if name == "delta_maps":
            assert len([one for one in values if one.max() == 1]) == LAYERS


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


# bytes


def test_same_choice_same_bytes(study):
    main("one.h5", "--every-class", "--each", "2")
    time.sleep(1.1)  # HDF5 counts times in seconds
    main("two.h5", "--every-class", "--each", "2")
    assert Path("one.h5").read_bytes() == Path("two.h5").read_bytes()
    assert b"GCOL" not in Path("one.h5").read_bytes()  # HDF5's heap, which has no checksum


@pytest.mark.parametrize("kept", [0, 1, 600, 9_000, -1])
def test_a_truncated_file_is_refused_in_a_line(study, kept):
    main("small.h5", "--every-class", "--each", "2")
    ids = read_subset(FILE).sequence_id
    FILE.write_bytes(FILE.read_bytes()[:kept])
    for attempt in (lambda: draw_main(FILE), lambda: read_pooled(FILE, ids, "mean")):
        with pytest.raises(UserError, match=r"small\.h5 is truncated or .*gor subset") as error:
            attempt()
        assert "\n" not in str(error.value)


@given(position=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@settings(max_examples=60, deadline=None)
def test_flipped_bits_never_change_what_is_read(tmp_path_factory, position, bit):
    folder = tmp_path_factory.mktemp("flip")
    path, store = folder / "small.h5", folder / "store"
    ids, tokens = np.arange(4), np.arange(16, dtype=np.int32).reshape(4, 4)
    pooled = np.random.default_rng(0).random((2, 4, 2, 10)).astype(np.float16)
    write_shard(shard_path(store, 0), ids, pooled, {"model": "none"})
    write_view(store, 1, {"model": "none"})
    own = np.array([0, 1, 1, 0], np.int8)
    made = Subset(ids, tokens, own, ["a", "b"], "mine", {"layers": 2})
    write_subset(path, store, made)
    damaged = bytearray(path.read_bytes())
    damaged[int(position * len(damaged))] ^= 1 << bit
    path.write_bytes(damaged)
    try:
        said, found = read_subset(path), [read_pooled(path, ids, name) for name in POOLINGS]
    except UserError:
        return
    np.testing.assert_array_equal(found, pooled)
    assert said[3:] == made[3:]
    for one, other in zip(said[:3], made[:3], strict=True):
        np.testing.assert_array_equal(one, other)


# mistakes


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (["--class", "gess"], r"--class gess: .* has the classes non-memorized, guess, recall"),
        (["--every-class", "--each", "0"], r"--each 0: give 1 or more"),
        (["--id", "3"], r"sequence 3 is not in the pool: its \d+ have ids such as 1099511"),
        (["--id", str(10**30)], r"sequence 10+ is not in the pool"),
        ([], r"nothing is chosen: give --class \(of non-memorized, .*--id or --gallery"),
        (["--part", "eval", "--each", "3"], r"nothing is chosen"),
    ],
)
def test_what_cannot_be_chosen_is_said_in_a_line(study, choice, said):
    with pytest.raises(UserError, match=said) as error:
        main("small.h5", *choice)
    assert "\n" not in str(error.value)
    assert not FILE.exists()


def test_missing_shards_are_said(study):
    shard_path(STORE, 1).unlink()
    with pytest.raises(UserError, match=r"shard-00001\.h5 is missing: .*dvc pull"):
        main("small.h5", "--gallery")
    shutil.rmtree(STORE)
    with pytest.raises(UserError, match=r"data/attention is missing: `dvc pull data/attention`"):
        main("small.h5", "--gallery")
    assert not FILE.exists()


def test_labels_of_another_variant_are_refused(study):
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("\nrho: 0.5\n", "\nrho: 0.9\n"))
    assert read_params().rho == 0.9
    with pytest.raises(UserError, match=r"labels\.parquet is of another variant .*dvc repro label"):
        main("small.h5", "--every-class")
    main("small.h5", "--gallery")  # needs no labels
    assert read_subset(FILE).variant == "guess rho=0.9"
    assert 1 not in read_subset(FILE).label


def test_what_is_no_subset_is_not_drawn(study):
    for name, said in (
        ("data/attention/shard-00000.h5", r"shard-00000\.h5 is no subset: .*gor subset"),
        ("nowhere.h5", r"nowhere\.h5 is missing: `gor subset` makes it"),
        ("params.yaml", r"params\.yaml is truncated or corrupt"),
    ):
        with pytest.raises(UserError, match=said):
            draw_main(Path(name))


def options_of(name):
    return {option for parameter in load(name).params for option in parameter.opts}


def test_help_names_the_choices():
    choices = {"file", "--class", "--every-class", "--each", "--part", "--gallery", "--id"}
    assert choices <= options_of("subset")
    assert {"file", "--out"} <= options_of("draw")
    with pytest.raises(Exception, match="'test' is not one of 'train', 'eval'"):
        main("small.h5", "--part", "test")
