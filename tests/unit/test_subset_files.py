"""The file of a subset: equal bytes, damage, and mistakes of who asks for one."""

# matplotlib's stubs take an image's array for None
# pyright: reportArgumentType=false, reportCallIssue=false

import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guess_or_recall.attention.reading import read_pooled
from guess_or_recall.attention.store import shard_path, write_shard, write_view
from guess_or_recall.attention.subset import Subset, read_subset, write_subset
from guess_or_recall.cli import load
from guess_or_recall.commands.draw import main as draw_main
from guess_or_recall.errors import UserError
from guess_or_recall.settings.params import read_params
from tests.made_study import FILE, POOLINGS, STORE, main


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
    labels = np.array([0, 1, 1, 0], np.int8)
    subset = Subset(ids, tokens, labels, ["a", "b"], "mine", {"layers": 2})
    write_subset(path, store, subset)
    damaged = bytearray(path.read_bytes())
    damaged[int(position * len(damaged))] ^= 1 << bit
    path.write_bytes(damaged)
    try:
        said, stored = read_subset(path), [read_pooled(path, ids, name) for name in POOLINGS]
    except UserError:
        return
    np.testing.assert_array_equal(stored, pooled)
    assert said[3:] == subset[3:]
    for written, read in zip(said[:3], subset[:3], strict=True):
        np.testing.assert_array_equal(written, read)


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


def options_of(name):
    return {option for parameter in load(name).params for option in parameter.opts}


def test_help_names_the_choices():
    choices = {"file", "--class", "--every-class", "--each", "--part", "--gallery", "--id"}
    assert choices <= options_of("subset")
    assert {"file", "--out"} <= options_of("draw")
    with pytest.raises(Exception, match="'test' is not one of 'train', 'eval'"):
        main("small.h5", "--part", "test")
