"""The paper's data set as a source: made files in its schema, through the stages."""

# pandas' stubs take a selected table or column for any of several types
# pyright: reportArgumentType=false, reportCallIssue=false, reportGeneralTypeIssues=false

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from guess_or_recall.attention import studied as attention
from guess_or_recall.attention.reading import read_pooled
from guess_or_recall.corpus.semantic_filters import files, rows, union
from guess_or_recall.corpus.semantic_filters.data_set import PUBLISHED
from guess_or_recall.corpus.semantic_filters.files import find_files
from guess_or_recall.corpus.semantic_filters.union import first_of_ids, sorted_union
from guess_or_recall.errors import UserError
from guess_or_recall.features import published as published_templates
from guess_or_recall.features.templates import templates
from guess_or_recall.io.files import content_hash, read_json, write_json
from guess_or_recall.io.paths import MODEL
from guess_or_recall.io.schemas import PERPLEXITIES
from guess_or_recall.io.tables import token_matrix
from guess_or_recall.model import published
from guess_or_recall.model.load import load_model
from guess_or_recall.model.scoring import score
from guess_or_recall.model.training import new_model
from guess_or_recall.model.weights import content_of_model
from guess_or_recall.settings.params import parse_params
from guess_or_recall.settings.yaml import dump_yaml, read_yaml
from guess_or_recall.stages import attention as attention_stage
from guess_or_recall.stages import features as features_stage
from guess_or_recall.stages import pool as pool_stage
from guess_or_recall.stages import score as score_stage
from guess_or_recall.stages import sequences as sequences_stage
from tests.conftest import ROOT

PILE, MEMORIES = "pile_deduped_70m", "memories_deduped_70m"
EXTRA = [f"extra_{number}" for number in range(16)]  # 27 columns in all
TEXTS = ["1 2 3 4 5 6 7 8", "ab ab ab ab ab ab", "nothing to see"]


def rows_of(ids, tokens, scores, seed=0):
    """Rows of the data set; its templates are the computed ones."""
    random, n = np.random.default_rng(seed), len(ids)
    texts = [TEXTS[number] for number in random.integers(0, 3, n)]
    incrementing, repeating = templates(texts)
    perplexities = {
        f"{name}_perplexity": pa.array(random.random(n) + 1, pa.float32())
        for name in ("prompt", "generation", "sequence")
    }
    columns = {
        "sequence_id": pa.array(ids, pa.int64()),
        "text": pa.array(texts),
        "tokens": pa.array(np.asarray(tokens).tolist(), pa.list_(pa.int64())),
        "sequence_duplicates": pa.array(random.integers(1, 9, n)),
        "is_incrementing": pa.array(incrementing),
        "is_repeating": pa.array(repeating),
        "memorization_score": pa.array(scores, pa.float64()),
        "huffman_coding_length": pa.array(random.random(n)),
    }
    return pa.table(columns | perplexities | {name: pa.array(range(n)) for name in EXTRA})


def write(folder, pile, memories):
    """Write two files of the pile, one of the memories, in row groups of 7."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    half = len(pile) // 2
    files = {f"{PILE}-00000-of-00002": pile[:half], f"{PILE}-00001-of-00002": pile[half:]}
    for name, table in (files | {f"{MEMORIES}-00000-of-00001": memories}).items():
        pq.write_table(table, folder / "data" / f"{name}.parquet", row_group_size=7)


def put_model(seed):
    """A random model in the folder net, and the pointer to it."""
    model = new_model(vocabulary=60, layers=2, width=32, heads=4, length=64, seed=seed)
    model.save_pretrained("net")
    content = content_of_model(Path("net"), "net")
    write_json(Path("data/model/model.json"), {"path": "net", **content})


@pytest.fixture
def study(workspace, monkeypatch):
    """A random model, what it memorizes, and params.yaml of the published way.

    The pile has 60 ids; the memories 30, of which one stands there twice and 4 in the pile too.
    """
    monkeypatch.setattr(union, "PART", 16)
    monkeypatch.setattr(rows, "ROWS", 5)
    monkeypatch.setattr(published, "PART", 16)
    monkeypatch.setattr(published_templates, "COMPARED", 1)
    put_model(seed=0)
    random = np.random.default_rng(0)
    tokens = random.integers(1, 60, (90, 64)).astype(np.int32)
    memorized = np.arange(90) >= 50
    tokens[memorized, 32:] = score(load_model(MODEL), tokens, 32, 32, 32).continuation[memorized]
    ids = random.permutation(1000)[:90]
    ids[60:64] = ids[50:54]
    ids[80] = ids[70]
    scores = np.where(memorized, 1.0, 0.25)
    folder = workspace / "filters"
    pile = rows_of(ids[:60], tokens[:60], scores[:60])
    write(folder, pile, rows_of(ids[60:], tokens[60:], scores[60:], seed=1))
    settle()
    return folder


def of_folder(path, model="70m"):
    """The data set as a folder holds it."""
    return {"source": "path", "path": path, "revision": "main", "model": model}


def settle(**changes):
    """Write params.yaml ('score__source' is score.source)."""
    content = read_yaml(ROOT / "params.yaml")
    settings = {
        "sequences__source": "semantic-filters",
        "sequences__semantic_filters": of_folder("filters"),
        "score__source": "published",
        "features__templates": "published",
        "features__is_code": "off",
        "samples": {"train": 4, "eval": 2, "shortage": "balance"},
        "pool": {"taxonomies": ["recite"], "deltas": [5], "rhos": [0.5]},
        "attention": {"batch": 4, "shard": 8, "gallery": 1},
    }
    for key, value in (settings | changes).items():
        *sections, last = key.split("__")
        place = content
        for section in sections:
            place = place[section]
        place[last] = value
    Path("params.yaml").write_text(dump_yaml(content))


def read(stage):
    return pd.read_parquet(f"data/{stage}/{stage}.parquet")


def metrics(stage):
    return json.loads(Path(f"metrics/{stage}.json").read_text())


def test_union_of_pile_and_memories(study):
    sequences_stage.main()
    counts = {"pile": 60, "memories": 30, "duplicates_dropped": 5, "sequences": 85}
    assert metrics("sequences") == counts
    sequences = read("sequences")
    parts = [pq.read_table(file.path).to_pandas() for file in find_files(study, "70m")]
    expected = pd.concat(parts).drop_duplicates("sequence_id").sort_values("sequence_id")
    assert len(expected.columns) == 27
    for name in ("sequence_id", "text", "sequence_duplicates"):
        assert sequences[name].tolist() == expected[name].tolist()
    for name in PUBLISHED:
        assert sequences[f"published_{name}"].tolist() == expected[name].tolist()
    assert sequences[["planted", "planted_copies", "document"]].isna().all(axis=None)
    file = pq.ParquetFile("data/sequences/sequences.parquet")
    assert file.schema_arrow.equals(rows.SCHEMA)
    assert file.num_row_groups == 6
    assert token_matrix(file.read()["tokens"]).tolist() == np.stack(expected["tokens"]).tolist()
    corpus = read_json(Path("data/sequences/corpus.json"))
    assert counts.items() <= corpus.items()
    assert (corpus["source"], corpus["path"], corpus["model"]) == (
        "semantic-filters",
        "filters",
        "70m",
    )
    manifest = pd.read_csv("data/sequences/manifest.csv")
    assert manifest["rows"].tolist() == [30, 30, 30]
    assert manifest["sha256"].str.len().eq(64).all()
    assert {path.name for path in Path("data/sequences").iterdir()} == {
        "sequences.parquet", "corpus.json", "coverage.json", "manifest.csv",
    }  # fmt: skip


def test_the_first_of_equal_ids_is_kept(study):
    """The pile's row before the memories', of the same split the earlier one."""
    files = find_files(study, "70m")
    assert [file.split for file in files] == ["pile", "pile", "memories"]
    ranks = first_of_ids(files)
    assert (ranks[:60] >= 0).all()
    assert np.flatnonzero(ranks < 0).tolist() == [60, 61, 62, 63, 80]


def test_two_runs_give_the_same_bytes(study):
    hashes = []
    for _ in range(2):
        for stage in (sequences_stage, score_stage, features_stage, pool_stage, attention_stage):
            stage.main()
        outputs = [Path("data") / name for name in ("sequences", "score", "features", "attention")]
        hashes.append(content_hash(*outputs, Path("metrics")))
        for output in outputs:
            shutil.rmtree(output)
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("large", lambda t: t.set_column(1, "text", t["text"].cast(pa.large_string()))),
        ("views", lambda t: t.set_column(1, "text", t["text"].cast(pa.string_view()))),
        ("words", lambda t: t.set_column(1, "text", t["text"].dictionary_encode())),
        ("lists", lambda t: t.set_column(2, "tokens", t["tokens"].cast(pa.list_(pa.int64(), 64)))),
    ],
)
def test_other_layouts_of_the_same_types(study, name, change):
    sequences_stage.main()
    before = content_hash(Path("data/sequences/sequences.parquet"))
    for file in (study / "data").iterdir():
        pq.write_table(change(pq.read_table(file)), file)
    sequences_stage.main()
    assert content_hash(Path("data/sequences/sequences.parquet")) == before


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


def test_published_scores_are_taken_over_and_rechecked(study, capsys):
    sequences_stage.main()
    score_stage.main()
    known, scored = read("sequences"), read("score")
    assert scored["sequence_id"].tolist() == known["sequence_id"].tolist()
    for name in ("memorization_score", *PERPLEXITIES):
        assert scored[name].tolist() == known[f"published_{name}"].tolist()
    assert (np.stack(scored["continuation"].tolist()) == -1).all()
    said = metrics("score")
    assert (said["sequences"], said["memorized"]) == (85, 35)
    assert (said["rechecked"], said["reextracted_share"]) == (35, 1.0)
    assert "warning" not in capsys.readouterr().err


def test_another_model_than_the_published_one_is_warned_of(study, capsys):
    sequences_stage.main()
    put_model(seed=1)
    settle(score__recheck=20)
    score_stage.main()
    assert metrics("score")["rechecked"] == 20
    assert metrics("score")["reextracted_share"] < 0.95
    assert "% of 20 sequences published as memorized, under 95%" in capsys.readouterr().err


def test_the_model_may_score_all_of_it(study):
    settle(score__source="model")
    sequences_stage.main()
    score_stage.main()
    scored, known = read("score"), read("sequences")
    memorized = known["published_memorization_score"] == 1
    assert (scored["memorization_score"] == 1).tolist() == memorized.tolist()
    assert (np.stack(scored["continuation"].tolist()) >= 0).all()
    said = metrics("score")
    assert (said["published_agreement"], said["reextracted_share"]) == (1.0, 1.0)
    put_model(seed=1)
    score_stage.main()
    said = metrics("score")
    assert said["published_agreement"] == round(1 - 35 * (1 - said["reextracted_share"]) / 85, 4)
    assert said["reextracted_share"] < 0.95


def test_the_pool_is_continued_as_if_all_had_been(study):
    """Attention of published scores, their continuations missing, and of all decoded."""
    printed = []
    for source in ("published", "model"):
        settle(score__source=source)
        for stage in (sequences_stage, score_stage):
            stage.main()
        if source == "published":
            features_stage.main()
            pool_stage.main()  # one pool for both
        attention_stage.main()
        ids = pq.read_table("data/pool/pool.parquet")["sequence_id"].to_numpy()
        printed.append([read_pooled(Path("data/attention"), ids, way) for way in ("mean", "max")])
    scores = read("score").set_index("sequence_id").memorization_score[ids]
    assert (scores < 1).sum() >= 6
    np.testing.assert_array_equal(*printed)


def test_a_killed_attention_keeps_its_continuations(study, monkeypatch):
    for stage in (sequences_stage, score_stage, features_stage, pool_stage, attention_stage):
        stage.main()
    whole = content_hash(Path("data/attention"))

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(attention_stage, "extract", killed)
        with pytest.raises(KeyboardInterrupt):
            attention_stage.main()
    monkeypatch.setattr(attention, "score", killed)
    attention_stage.main()
    assert content_hash(Path("data/attention")) == whole


def test_templates_published_or_computed(study):
    path = study / "data" / f"{PILE}-00000-of-00002.parquet"
    table = pq.read_table(path)
    wrong = pa.array([not value for value in table["is_repeating"].to_pylist()])
    place = table.column_names.index("is_repeating")
    pq.write_table(table.set_column(place, "is_repeating", wrong), path)
    sequences_stage.main()
    known = read("sequences")
    for templates_of in ("published", "computed"):
        settle(features__templates=templates_of)
        features_stage.main()
        features = read("features")
        same = features["is_repeating"] == known["published_is_repeating"]
        assert (~same).sum() == (0 if templates_of == "published" else 30)
        assert features["is_incrementing"].tolist() == known["published_is_incrementing"].tolist()
        said = metrics("features")
        assert said["templates"] == templates_of
        assert said["published_against_computed"] == {
            "compared": 85,
            "is_incrementing": 0.0,
            "is_repeating": round(30 / 85, 6),
        }
    assert features["sequence_id"].tolist() == known["sequence_id"].tolist()
    assert features["rouge_l"].between(0, 1).all()


def test_memory_does_not_grow_with_the_rows(study, tmp_path):
    """Parts hold `PART` rows each, and none stays on the disk."""
    files = find_files(study, "70m")
    lengths = [len(part) for part in sorted_union(files, first_of_ids(files), tmp_path)]
    assert lengths == [16, 16, 16, 16, 16, 5]
    assert not list(tmp_path.glob("*.arrow"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model__source": "train"}, "model.source = 'train': .*no training stream"),
        (
            {"sequences__source": "files"},
            "score.source = 'published': sequences.source files .*set score.source to model",
        ),
        (
            {"sequences__source": "packages", "score__source": "model"},
            "features.templates = 'published': .*set features.templates to computed",
        ),
        ({"sequences__semantic_filters__model": "13b"}, "semantic_filters.model = '13b'.*'12b'"),
        ({"score__recheck": 0}, "score.recheck = 0"),
    ],
)
def test_settings_that_do_not_fit(study, changes, message):
    settle(**changes)
    with pytest.raises(UserError, match=message):
        parse_params(Path("params.yaml").read_text(), "params.yaml")
