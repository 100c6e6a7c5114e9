"""A file that is locked, or may not be read, is not called damaged, and not made again."""

import errno
import fcntl

import h5py
import numpy as np
import pytest

from guess_or_recall.attention.extract import ShardFile, finished
from guess_or_recall.attention.hdf5 import key_of, opened, what_the_system_says
from guess_or_recall.attention.reading import read_pooled
from guess_or_recall.attention.store import shard_path, write_shard, write_view
from guess_or_recall.errors import UserError
from guess_or_recall.io import scratch

PROVENANCE = {"model": "net"}
IDS = np.arange(3)


@pytest.fixture
def store(tmp_path):
    pooled = np.full((2, 3, 2, 10), 0.25, np.float16)
    write_shard(shard_path(tmp_path, 0), IDS, pooled, PROVENANCE)
    write_view(tmp_path, 1, PROVENANCE)
    return tmp_path


def test_a_locked_shard_is_said_to_be_locked_and_stays(store, capsys, monkeypatch):
    monkeypatch.delenv("HDF5_USE_FILE_LOCKING", raising=False)
    path = shard_path(store, 0)
    before = path.read_bytes()
    with open(path, "rb+") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        for read in (
            lambda: read_pooled(store, IDS, "mean"),
            lambda: finished(ShardFile(path, 0, 3), IDS, key_of(PROVENANCE)),
        ):
            with pytest.raises(UserError) as caught:
                read()
            said = str(caught.value)
            assert "is locked by another program" in said
            assert "HDF5_USE_FILE_LOCKING=FALSE" in said
            assert "corrupt" not in said and "\n" not in said
    assert "made again" not in capsys.readouterr().out
    assert path.read_bytes() == before
    assert finished(ShardFile(path, 0, 3), IDS, key_of(PROVENANCE))


@pytest.mark.parametrize("number", [errno.EACCES, errno.EMFILE, errno.EIO, errno.ESTALE])
def test_what_the_system_refuses_is_no_damage(number, store, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError(f"Unable to open file (errno = {number}, error message = 'no')")

    monkeypatch.setattr(h5py, "File", refuse)
    path = shard_path(store, 0)
    with pytest.raises(UserError, match=r"cannot be read now .* that is no damage"):
        finished(ShardFile(path, 0, 3), IDS, key_of(PROVENANCE))


def test_damage_is_still_damage(store):
    path = shard_path(store, 0)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(UserError, match="truncated or corrupt"), opened(path) as file:
        file["mean"][:]  # pyright: ignore
    assert what_the_system_says("truncated file: eof = 96") is None


def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch):
    def refuse(*args):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with (
        pytest.raises(UserError, match="set GUESS_OR_RECALL_SCRATCH to a folder on one that has"),
        scratch.locked(tmp_path / "work.lock"),
    ):
        pass
