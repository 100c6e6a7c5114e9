"""Damaged files: every reader sees the damage before it reads, and calls nothing else damage."""

import errno
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file

from guess_or_recall.errors import UserError
from guess_or_recall.io import checksums
from guess_or_recall.io.files import existing, read_json, seal, write_csv, write_json
from guess_or_recall.io.tables import (
    read_csv,
    read_parts,
    read_rows,
    read_schema,
    read_table,
    read_whole,
    write_table,
)
from guess_or_recall.io.tensors import read_tensors
from guess_or_recall.study import Study

SCHEMA = pa.schema([("sequence_id", pa.int64())])
FOLDER = Path("data/label")
READERS = {
    "a.parquet": [
        lambda path: read_table(path, SCHEMA),
        lambda path: list(read_parts(path, SCHEMA)),
        lambda path: read_rows(path, SCHEMA, np.arange(2)),
        read_schema,
        read_whole,
    ],
    "a.json": [read_json],
    "a.csv": [lambda path: read_csv(path, ["a"])],
    "a.safetensors": [read_tensors],
}
CALLS = [(name, read) for name, reads in READERS.items() for read in reads]


@pytest.fixture
def folder(workspace):
    """A folder of a stage with a file of every kind."""
    write_table(FOLDER / "a.parquet", pa.table({"sequence_id": pa.array(range(1000))}))
    write_json(FOLDER / "a.json", {"key": 1})
    write_csv(FOLDER / "a.csv", pd.DataFrame({"a": [1, 2]}), ["a"])
    save_file({"a": np.zeros(3)}, FOLDER / "a.safetensors")
    return FOLDER


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(("name", "read"), CALLS)
def test_a_reader_sees_any_damage_of_a_sealed_file(folder, name, read):
    seal(folder)
    read(folder / name)
    flip(folder / name, (folder / name).stat().st_size // 2)
    with pytest.raises(UserError, match=f"^{folder / name} is damaged: .*dvc checkout --force la"):
        read(folder / name)


def test_metrics_are_sealed_with_the_data_of_their_stage(folder):
    metrics = Path("metrics/label.json")
    write_json(metrics, {"sampled": 12})
    seal(folder)
    assert read_json(metrics) == {"sampled": 12}
    metrics.write_text(metrics.read_text().replace("12", "13"))
    with pytest.raises(UserError, match=f"^{metrics} is damaged: .*`git checkout {metrics} && dvc"):
        read_json(metrics)
    checksums.verify(folder)  # its own files are whole
    metrics.unlink()
    with pytest.raises(UserError, match=f"^{metrics} is missing"):
        Study(".").metrics()
    write_json(metrics, {"sampled": 12})
    write_json(Path("metrics/other.json"), {"a": 1})  # whose stage has not ended
    assert Study(".").metrics() == {"label": {"sampled": 12}, "other": {"a": 1}}


@pytest.mark.parametrize(("name", "read"), CALLS)
def test_a_reader_names_a_cut_file_without_checksums(folder, name, read):
    path = folder / name
    path.write_bytes(b"" if name == "a.csv" else path.read_bytes()[:-5])
    with pytest.raises(UserError, match=f"^{path} is damaged: "):
        read(path)


@pytest.mark.parametrize(("name", "read"), CALLS)
def test_a_reader_hashes_a_file_once(folder, monkeypatch, name, read):
    seal(folder)
    hashed = []
    monkeypatch.setattr(checksums, "require", lambda path, expected: hashed.append(path))
    read(folder / name)
    assert hashed == [folder / name]


def test_what_is_not_there_is_missed(folder):
    seal(folder)
    (folder / "a.csv").unlink()
    with pytest.raises(UserError, match=r"a\.csv is damaged: it is missing, and checksums.json"):
        existing(folder)


def test_what_json_must_hold(folder):
    with pytest.raises(UserError, match=r"a\.json is damaged: it has no entry 'other'"):
        read_json(folder / "a.json", "key", "other")
    (folder / "a.json").write_text("[1]")
    with pytest.raises(UserError, match=r"a\.json is damaged: it holds no JSON object"):
        read_json(folder / "a.json")
    with pytest.raises(UserError, match=r"a\.safetensors is damaged: it has no array 'b'"):
        read_tensors(folder / "a.safetensors", "b")


@pytest.mark.parametrize("content", ['{"a.csv"', '["a.csv"]', '{"a.csv": 1}'])
def test_damaged_checksums(folder, content):
    (folder / checksums.NAME).write_text(content)
    with pytest.raises(UserError, match=r"data/label/checksums\.json is damaged"):
        existing(folder / "a.csv")


def test_a_disk_that_fails_is_no_damage(folder, monkeypatch):
    def fails(*arguments, **options):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(pq, "read_schema", fails)
    with pytest.raises(OSError, match="Input/output error") as raised:
        read_schema(folder / "a.parquet")
    assert not isinstance(raised.value, UserError)


def test_a_file_without_the_right_to_read_it_is_no_damage(folder, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(UserError, match=re.escape("a.csv cannot be read (Permission denied)")):
        read_csv(folder / "a.csv", ["a"])
