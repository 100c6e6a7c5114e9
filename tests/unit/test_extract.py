"""Extraction of attention into shards: what they hold, and what is refused."""

import h5py
import numpy as np
import pytest
import torch

from guess_or_recall.attention.extract import extract, extract_gallery, require_room
from guess_or_recall.attention.gallery import read_gallery
from guess_or_recall.attention.pooling import full_attention, pooled_attention
from guess_or_recall.attention.reading import read_pooled
from guess_or_recall.attention.studied import studied_tokens
from guess_or_recall.errors import UserError
from tests.extraction import PROVENANCE, bytes_of, draw, shards_in, tiny_model

BATCH = 3


@pytest.fixture(scope="module")
def model():
    return tiny_model()


def test_store_holds_what_the_model_gives(model, tmp_path):
    ids, tokens = draw(12)
    extract(model, ids, tokens, shards_in(tmp_path), BATCH)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "provenance.json",
        "shard-00000.h5",
        "shard-00001.h5",
        "shard-00002.h5",
        "view.h5",
    ]
    expected = pooled_attention(model, torch.from_numpy(tokens)).float().numpy()
    for pooling, values in zip(("mean", "max"), expected, strict=True):
        stored = read_pooled(tmp_path, ids, pooling)
        assert stored.shape == (12, 2, 2080)
        np.testing.assert_allclose(stored, values, rtol=0, atol=1e-3)
    assert np.ptp(expected[:, :, :, 2000:]) > 0.1  # sequences and positions differ


def test_two_runs_same_bytes(model, tmp_path):
    for name in ("one", "two"):
        extract(model, *draw(7), shards_in(tmp_path / name), BATCH)
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")


def test_finished_shards_are_kept_and_damaged_ones_made_again(model, tmp_path, capsys):
    extract(model, *draw(15), shards_in(tmp_path), BATCH)
    before = bytes_of(tmp_path)
    first, second, third = (tmp_path / f"shard-0000{index}.h5" for index in range(3))
    second.write_bytes(second.read_bytes()[:-1000])
    with h5py.File(third, "a") as file:
        file.attrs["key"] = "other"
    (tmp_path / ".shard-00001.h5.123.tmp").write_bytes(b"half")
    (tmp_path / "view.h5").unlink()
    kept = first.stat()
    extract(model, *draw(15), shards_in(tmp_path), BATCH)
    assert bytes_of(tmp_path) == before
    assert (first.stat().st_ino, first.stat().st_mtime_ns) == (kept.st_ino, kept.st_mtime_ns)
    said = capsys.readouterr().out
    assert "shard-00000" not in said
    assert "shard-00001.h5 is truncated" in said
    assert "shard-00002.h5 was made with other" in said


def test_memorized_sequences_enter_as_they_are_others_with_their_continuation():
    tokens = np.array([[1, 2, 3, 4], [5, 6, 7, 8], [1, 1, 1, 1]], np.int32)
    continuation = np.array([[0, 0], [7, 9], [0, 1]], np.int32)
    studied = studied_tokens(tokens, continuation, np.array([1.0, 31 / 32, 0.0]))
    assert studied.tolist() == [[1, 2, 3, 4], [5, 6, 7, 9], [1, 1, 0, 1]]
    assert studied.dtype == np.int32


@pytest.mark.parametrize("wrong", [-1, 40, 70000])
def test_ids_outside_the_vocabulary_are_refused(model, tmp_path, wrong):
    ids, tokens = draw(4)
    tokens[2, 9] = wrong
    with pytest.raises(UserError, match=f"token id {wrong} is outside .*0 to 39"):
        extract(model, ids, tokens, shards_in(tmp_path), BATCH)
    assert not list(tmp_path.iterdir())


def test_no_sequence_is_refused(model, tmp_path):
    ids, tokens = draw(0)
    with pytest.raises(UserError, match="no sequence"):
        extract(model, ids, tokens, shards_in(tmp_path), BATCH)


def test_full_disk_is_said_before_starting(tmp_path):
    require_room(tmp_path, 1, layers=2, length=64)
    with pytest.raises(UserError, match=r"disk full: .* needs 252160\.00 GB"):
        require_room(tmp_path, 10**10, layers=3, length=64)


def test_gallery_holds_every_head(model, tmp_path):
    ids, tokens = draw(3)
    extract_gallery(model, ids, tokens, tmp_path / "gallery.h5", PROVENANCE)
    found_ids, patterns, found_tokens = read_gallery(tmp_path / "gallery.h5")
    np.testing.assert_array_equal(found_ids, ids)
    np.testing.assert_array_equal(found_tokens, tokens)
    assert patterns.shape == (3, 2, 4, 64, 64)
    expected = full_attention(model, torch.from_numpy(tokens)).float().numpy()
    np.testing.assert_allclose(patterns, expected, rtol=0, atol=1e-3)
