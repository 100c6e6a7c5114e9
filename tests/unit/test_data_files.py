"""Files of the paper's data set: where they lie, what does not fit, what is damaged, the hub."""

# pandas' stubs take a selected table or column for any of several types
# pyright: reportArgumentType=false, reportCallIssue=false, reportGeneralTypeIssues=false

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from guess_or_recall.corpus.semantic_filters import files
from guess_or_recall.corpus.semantic_filters.files import find_files
from guess_or_recall.errors import UserError
from guess_or_recall.io.files import read_json
from guess_or_recall.stages import sequences as sequences_stage
from tests.data_set import (
    MEMORIES,
    PILE,
    metrics,
    of_folder,
    settle,
)


@pytest.fixture
def study(published_study):
    return published_study


@pytest.mark.parametrize("name", ["{}.parquet", "{}/0000.parquet", "deep/data/{}-0.parquet"])
def test_where_files_may_lie(study, tmp_path, name):
    table = pq.read_table(study / "data" / f"{MEMORIES}-00000-of-00001.parquet")
    for split in (PILE, MEMORIES, "pile_deduped_70m_other", "memories_duped_70m"):
        path = tmp_path / "other" / name.format(split)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path)
    files = find_files(tmp_path / "other", "70m")
    assert [file.split for file in files] == ["pile", "memories"]


def spoil(column, row, value):
    """Give a column of a table another value in one row."""

    def change(table):
        values = table[column].to_pylist()
        values[row] = value
        kind = table[column].type
        place = table.column_names.index(column)
        return table.set_column(place, column, pa.array(values, kind))

    return change


def cast(column, kind):
    """Give a column of a table another type."""
    return lambda table: table.set_column(
        table.column_names.index(column), column, table[column].cast(kind)
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (cast("sequence_id", pa.int32()), "column 'sequence_id' is int32, not int64: give the"),
        (
            cast("memorization_score", pa.float32()),
            "column 'memorization_score' is float, not double",
        ),
        (cast("tokens", pa.list_(pa.int32())), r"column 'tokens' is list<.*int32>, not list<.*64>"),
        (cast("prompt_perplexity", pa.float64()), "'prompt_perplexity' is double, not float"),
        (lambda t: t.drop_columns(["is_repeating"]), r"no column 'is_repeating' \(bool\); it has"),
        (spoil("tokens", 9, [1] * 63), r"sequence_id \d+ has 63 tokens, not 64"),
        (spoil("tokens", 9, []), r"sequence_id \d+ has 0 tokens, not 64"),
        (spoil("tokens", 9, [1] * 63 + [-1]), r"\d+ has the token -1, not an id from 0 to"),
        (spoil("tokens", 9, [1] * 63 + [2**31]), r"\d+ has the token 2147483648, not an id"),
        (spoil("tokens", 9, [1] * 63 + [None]), r"\d+ has the token None, not an id"),
        (spoil("tokens", 9, None), r"'tokens' of sequence_id \d+ is null"),
        (spoil("text", 9, None), r"'text' of sequence_id \d+ is null"),
        (spoil("sequence_id", 9, None), "'sequence_id' is null 1 times"),
        (spoil("memorization_score", 9, 0.5), "is 0.5, not 1 .all memories are memorized"),
        (spoil("memorization_score", 9, float("nan")), "is nan, not 1"),
        (lambda t: t.slice(0, 0), None),
    ],
)
def test_files_that_do_not_fit(study, change, message):
    path = study / "data" / f"{MEMORIES}-00000-of-00001.parquet"
    pq.write_table(change(pq.read_table(path)), path)
    if message is None:  # a split without rows is a union like any other
        sequences_stage.main()
        assert metrics("sequences")["sequences"] == 60
        return
    with pytest.raises(UserError, match=message) as caught:
        sequences_stage.main()
    assert str(path.relative_to(study.parent)) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not Path("data/sequences").exists()


def test_missing_and_damaged_files(study):
    settle(sequences__semantic_filters=of_folder("filters", "12b"))
    with pytest.raises(UserError, match=r"no pile_deduped_12b-\*.parquet, .*hf download .*model"):
        sequences_stage.main()
    settle(sequences__semantic_filters=of_folder("gone"))
    with pytest.raises(
        UserError, match=r"semantic_filters.path: no folder 'gone': fetch its pile_"
    ):
        sequences_stage.main()
    settle()
    path = study / "data" / f"{PILE}-00000-of-00002.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match=r"00000-of-00002.parquet: not a parquet file"):
        sequences_stage.main()


def test_a_file_damaged_anywhere_is_named(study):
    """Cut there, or with zeros there: no traceback."""
    [path] = study.rglob("memories*.parquet")
    table = pq.read_table(path)
    pq.write_table(table, path, compression="zstd")
    whole, said = path.read_bytes(), []
    for place in range(0, len(whole), len(whole) // 12):
        path.write_bytes(whole[:place])
        with pytest.raises(UserError) as caught:
            sequences_stage.main()
        said.append(str(caught.value))
        path.write_bytes(whole[:place] + bytes(16) + whole[place + 16 :])
        try:
            sequences_stage.main()
        except UserError as error:
            said.append(str(error))
    assert len(said) > 15
    assert all("\n" not in line and "memories" in line for line in said)


def test_the_hub(study, monkeypatch):
    """Fetched at a revision; the commit is recorded, and what fails is said in a line."""
    asked = {}

    def snapshot(repository, **options):
        asked.update(options, repository=repository)
        shutil.copytree(study, "cache/snapshots/abc123")
        return "cache/snapshots/abc123"

    monkeypatch.setattr(files, "snapshot_download", snapshot)
    of_hub = {"source": "hub", "path": "gone", "revision": "v1", "model": "70m"}
    settle(sequences__semantic_filters=of_hub)
    sequences_stage.main()
    assert (asked["repository"], asked["revision"], asked["repo_type"]) == (
        "usvsnsp/semantic-filters",
        "v1",
        "dataset",
    )
    assert read_json(Path("data/sequences/corpus.json"))["commit"] == "abc123"

    class Timeout(Exception):  # as of httpx: no OSError
        pass

    def offline(*_, **__):
        raise Timeout("no route\nto the hub")

    monkeypatch.setattr(files, "snapshot_download", offline)
    message = r"at revision 'v1' cannot be fetched .*no route\).*set sequences.semantic_filters"
    with pytest.raises(UserError, match=message):
        sequences_stage.main()


def test_the_hub_is_asked_for_the_files_of_one_model():
    from huggingface_hub.utils import filter_repo_objects

    names = [f"data/{PILE}-00000-of-00002.parquet", f"{MEMORIES}.parquet", f"x/{PILE}/0.parquet"]
    others = [f"data/{split}_deduped_1.4b-0.parquet" for split in ("pile", "memories")]
    others += ["data/pile_duped_70m-0.parquet", "README.md"]
    patterns = files.patterns("70m")
    assert list(filter_repo_objects(names + others, allow_patterns=patterns)) == names
