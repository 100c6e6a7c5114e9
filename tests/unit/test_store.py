"""Shards of attention, and one view over them."""

# h5py's stubs take what a name gives for a group, a data set or a type
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportIndexIssue=false

import time

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guess_or_recall.attention import store
from guess_or_recall.attention.gallery import read_gallery, write_gallery
from guess_or_recall.attention.hdf5 import key_of
from guess_or_recall.attention.reading import read_pooled
from guess_or_recall.attention.store import check_shard, shard_path, write_shard, write_view
from guess_or_recall.errors import UserError
from guess_or_recall.io.files import read_json

PROVENANCE = {"model": "models/tiny", "weights": "abc", "batch": 8, "torch": "2.13.0"}
KEY = key_of(PROVENANCE)
IDS = np.array([3, 5, 8, 100, 2**40, 2**40 + 1, 2**62], np.int64)
SHARDS = ((0, 3), (3, 6), (6, 7))  # rows of each


def values(count: int) -> np.ndarray:
    random = np.random.default_rng(0)
    return random.random((2, count, 2, 10)).astype(np.float16)


def fill(folder):
    pooled = values(len(IDS))
    for index, (start, stop) in enumerate(SHARDS):
        part = pooled[:, start:stop]
        write_shard(shard_path(folder, index), IDS[start:stop], part, PROVENANCE)
    write_view(folder, len(SHARDS), PROVENANCE)
    return pooled


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("attention")
    return folder, fill(folder)


@given(st.lists(st.integers(0, len(IDS) - 1)), st.sampled_from(["mean", "max"]))
@settings(max_examples=60, deadline=None)
def test_reads_in_the_order_asked_for(stored, rows, pooling):
    folder, pooled = stored
    values = read_pooled(folder, IDS[np.array(rows, np.int64)], pooling)
    assert values.dtype == np.float16
    np.testing.assert_array_equal(values, pooled[["mean", "max"].index(pooling)][rows])


def test_ids_may_be_unsorted_across_shards(tmp_path):
    pooled = values(4)
    write_shard(shard_path(tmp_path, 0), np.array([9, 2]), pooled[:, :2], PROVENANCE)
    write_shard(shard_path(tmp_path, 1), np.array([1, 7]), pooled[:, 2:], PROVENANCE)
    write_view(tmp_path, 2, PROVENANCE)
    stored = read_pooled(tmp_path, np.array([1, 9, 7, 2]), "mean")
    np.testing.assert_array_equal(stored, pooled[0][[2, 0, 3, 1]])


@pytest.mark.parametrize("asked", [[4], [3, 5, 2**62 + 1], [-1, 3]])
def test_ids_that_are_not_stored_are_refused(stored, asked):
    absent = next(sequence_id for sequence_id in asked if sequence_id not in IDS)
    with pytest.raises(UserError, match=f"lacks 1 of {len(asked)} .*{absent}"):
        read_pooled(stored[0], np.array(asked), "max")


def test_unknown_pooling_is_refused(stored):
    with pytest.raises(UserError, match=r"median.*mean, max"):
        read_pooled(stored[0], IDS, "median")


def test_view_shows_all_shards_and_moves_with_them(tmp_path):
    pooled = fill(tmp_path / "before")
    (tmp_path / "before").rename(tmp_path / "after")
    with h5py.File(tmp_path / "after/view.h5") as view:
        np.testing.assert_array_equal(view["sequence_id"][:], IDS)
        np.testing.assert_array_equal(view["mean"][:], pooled[0])
        np.testing.assert_array_equal(view["max"][:], pooled[1])
        assert view["max"].is_virtual
        assert all(
            source.file_name.startswith("shard-") for source in view["max"].virtual_sources()
        )


def test_view_of_a_missing_shard_is_not_an_attention_of_zero(tmp_path):
    fill(tmp_path)
    shard_path(tmp_path, 1).unlink()
    with h5py.File(tmp_path / "view.h5") as view:
        assert np.isnan(view["mean"][3:6]).all()
        assert (view["sequence_id"][3:6] == -1).all()


def test_same_values_same_bytes(tmp_path):
    fill(tmp_path / "one")
    time.sleep(1.1)  # HDF5 counts times in seconds
    fill(tmp_path / "two")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name
    assert len(list((tmp_path / "one").iterdir())) == len(SHARDS) + 2


def test_provenance_is_in_every_file(stored):
    folder, _ = stored
    for path in folder.glob("*.h5"):
        with h5py.File(path) as file:
            said = {
                name: value.decode() if isinstance(value, bytes) else value
                for name, value in file.attrs.items()
            }
            assert said == {**PROVENANCE, "key": KEY}
    for path in folder.glob("shard-*.h5"):
        assert b"GCOL" not in path.read_bytes()  # HDF5's heap, which has no checksum
    assert read_json(folder / "provenance.json") == {
        **PROVENANCE,
        "key": KEY,
        "shards": 3,
        "sequences": 7,
        "layers": 2,
        "packed": 10,
    }


def test_patterns_have_checksums_and_a_chunk_a_sequence(stored):
    with h5py.File(shard_path(stored[0], 0)) as file:
        assert all(file[name].fletcher32 for name in ("sequence_id", "mean", "max"))
        assert file["mean"].chunks == (1, 2, 10)


def test_key_depends_on_values_not_on_order():
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})
    assert key_of({"a": 1}) != key_of({"a": 2})


def test_good_shard_passes(stored):
    check_shard(shard_path(stored[0], 1), KEY, IDS[3:6])


def test_shard_of_another_origin_is_refused(stored, tmp_path):
    path = shard_path(stored[0], 1)
    with pytest.raises(UserError, match=r"shard-00001\.h5 was made with other parameters"):
        check_shard(path, key_of({**PROVENANCE, "weights": "other"}), IDS[3:6])
    with pytest.raises(UserError, match=r"shard-00001\.h5 holds other sequences"):
        check_shard(path, KEY, IDS[2:5])


def test_stranger_among_the_shards_is_never_read(tmp_path):
    pooled = fill(tmp_path)
    changed = {**PROVENANCE, "weights": "other"}
    write_shard(shard_path(tmp_path, 1), IDS[3:6], pooled[:, 3:6], changed)
    with pytest.raises(UserError, match=r"shard-00001\.h5 was made with other"):
        read_pooled(tmp_path, IDS, "mean")


@pytest.mark.parametrize("kept", [0, 1, 40, 600, -1])
def test_truncated_shard_is_refused(tmp_path, kept):
    fill(tmp_path)
    path = shard_path(tmp_path, 1)
    path.write_bytes(path.read_bytes()[:kept])
    for attempt in (
        lambda: check_shard(path, KEY, IDS[3:6]),
        lambda: read_pooled(tmp_path, IDS[:1], "mean"),
    ):
        with pytest.raises(UserError, match=r"shard-00001\.h5 is truncated or corrupt") as error:
            attempt()
        assert "\n" not in str(error.value)


def test_any_damaged_pattern_is_refused_by_its_checksum(tmp_path):
    pooled = fill(tmp_path)
    path = shard_path(tmp_path, 1)
    whole = path.read_bytes()
    for pooling, layer in (("mean", 0), ("max", 1)):
        wanted = pooled[["mean", "max"].index(pooling), 4, layer].tobytes()
        damaged = bytearray(whole)
        damaged[whole.index(wanted) + 3] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"shard-00001\.h5 is truncated or corrupt"):
            check_shard(path, KEY, IDS[3:6])
        with pytest.raises(UserError, match=r"shard-00001\.h5 is truncated or corrupt"):
            read_pooled(tmp_path, IDS[4:5], pooling)


@given(position=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@settings(max_examples=80, deadline=None)
def test_flipped_bits_never_change_what_is_read(tmp_path_factory, position, bit):
    folder = tmp_path_factory.mktemp("flip")
    path = shard_path(folder, 0)
    pooled = values(4)
    write_shard(path, IDS[:4], pooled, PROVENANCE)
    write_view(folder, 1, PROVENANCE)
    damaged = bytearray(path.read_bytes())
    damaged[int(position * len(damaged))] ^= 1 << bit
    path.write_bytes(damaged)
    try:
        stored = read_pooled(folder, IDS[:4], "mean")
    except UserError:
        return
    np.testing.assert_array_equal(stored, pooled[0])


def test_missing_files_are_said(tmp_path):
    fill(tmp_path)
    shard_path(tmp_path, 2).unlink()
    with pytest.raises(
        UserError, match=r"shard-00002\.h5 is missing: `dvc checkout --force` restores"
    ):
        read_pooled(tmp_path, IDS[:1], "mean")
    with pytest.raises(UserError, match=r"provenance\.json is missing"):
        read_pooled(tmp_path / "nowhere", IDS, "mean")


def test_write_that_fails_leaves_the_earlier_file(tmp_path, monkeypatch):
    path = shard_path(tmp_path, 0)
    write_shard(path, IDS[:4], values(4), PROVENANCE)
    before = path.read_bytes()
    monkeypatch.setattr(store, "POOLINGS", (*store.POOLINGS, "third"))  # there are only two
    with pytest.raises(ValueError, match="zip"):
        write_shard(path, IDS[:4], values(4), PROVENANCE)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_gallery_gives_back_what_it_was_given(tmp_path):
    random = np.random.default_rng(0)
    attention = random.random((2, 3, 4, 5, 5)).astype(np.float16)
    tokens = random.integers(0, 9, (2, 5), dtype=np.int32)
    path = tmp_path / "gallery.h5"
    write_gallery(path, IDS[:2], attention, tokens, PROVENANCE)
    for expected, stored in zip((IDS[:2], attention, tokens), read_gallery(path), strict=True):
        assert expected.dtype == stored.dtype
        np.testing.assert_array_equal(expected, stored)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"gallery\.h5 is truncated or corrupt"):
        read_gallery(path)
