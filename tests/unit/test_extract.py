import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pytest
import torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from guess_or_recall.attention import extract as extraction
from guess_or_recall.attention.extract import Shards, extract, extract_gallery, require_room
from guess_or_recall.attention.gallery import read_gallery
from guess_or_recall.attention.pooling import full_attention, pooled_attention
from guess_or_recall.attention.reading import read_pooled
from guess_or_recall.attention.studied import studied_tokens
from guess_or_recall.commands import extract as command
from guess_or_recall.errors import UserError
from guess_or_recall.io.files import write_json
from guess_or_recall.io.tables import token_column, write_table
from guess_or_recall.model.scoring import UNKNOWN, score
from guess_or_recall.model.weights import content_of_model
from guess_or_recall.settings.yaml import dump_yaml, read_yaml
from guess_or_recall.stages import attention as attention_stage

ROOT = Path(__file__).parents[2]
PROVENANCE = {"model": "tiny", "weights": "abc"}
BATCH = 3


@pytest.fixture(scope="module")
def model():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = GPTNeoXConfig(
        vocab_size=40,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=16,
        max_position_embeddings=64,
        bos_token_id=0,
        eos_token_id=0,
    )
    made = GPTNeoXForCausalLM(config).eval()
    for parameter in made.parameters():
        parameter.data.mul_(10)
    return made


def draw(count: int, length: int = 64) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    ids = np.sort(random.choice(10**6, count, replace=False))
    return ids, random.integers(0, 40, (count, length), dtype=np.int32)


def shards_in(folder: Path) -> Shards:
    return Shards(folder, sequences=5, provenance=PROVENANCE)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


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
        found = read_pooled(tmp_path, ids, pooling)
        assert found.shape == (12, 2, 2080)
        np.testing.assert_allclose(found, values, rtol=0, atol=1e-3)
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
    own = np.array([[0, 0], [7, 9], [0, 1]], np.int32)
    found = studied_tokens(tokens, own, np.array([1.0, 31 / 32, 0.0]))
    assert found.tolist() == [[1, 2, 3, 4], [5, 6, 7, 9], [1, 1, 0, 1]]
    assert found.dtype == np.int32


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


def workspace(folder: Path, model, count: int = 90, prefix: int = 32, suffix: int = 32):
    """Inputs of the stage, in the files that the earlier stages write; gives the pool."""
    ids, tokens = draw(count, prefix + suffix)
    memorization_score = np.where(np.arange(count) % 3 == 0, 1.0, 0.5)
    columns = {"sequence_id": pa.array(ids), "tokens": token_column(tokens)}
    write_table(folder / "data/sequences/sequences.parquet", pa.table(columns))
    columns = {
        "sequence_id": pa.array(ids),
        "memorization_score": pa.array(memorization_score),
        "continuation": token_column(np.ascontiguousarray(39 - tokens[:, prefix:])),
    }
    write_table(folder / "data/score/score.parquet", pa.table(columns))
    pool = ids[count // 9 :]
    marks = pa.array(np.arange(len(pool)) < 4)
    write_table(
        folder / "data/pool/pool.parquet", pa.table({"sequence_id": pool, "gallery": marks})
    )
    model.save_pretrained(folder / "tiny")
    write_json(
        folder / "data/model/model.json",
        {"source": "path", "path": "tiny", **content_of_model(folder / "tiny", "tiny")},
    )
    params = read_yaml(ROOT / "params.yaml")
    params["sequences"] |= {"prefix": prefix, "suffix": suffix}
    params["attention"] = {"batch": 2, "shard": 4, "gallery": 2}
    (folder / "params.yaml").write_text(dump_yaml(params))
    return pool


@pytest.mark.parametrize(("prefix", "suffix"), [(32, 32), (32, 16), (5, 8)])
def test_stage(model, tmp_path, monkeypatch, prefix, suffix):
    pool = workspace(tmp_path, model, 18, prefix, suffix)
    monkeypatch.chdir(tmp_path)
    attention_stage.main()
    ids, tokens = draw(18, prefix + suffix)
    tokens[np.arange(18) % 3 != 0, prefix:] = 39 - tokens[np.arange(18) % 3 != 0, prefix:]
    expected = pooled_attention(model, torch.from_numpy(tokens[2:])).float().numpy()
    found = read_pooled(Path("data/attention"), pool, "max")
    np.testing.assert_allclose(found, expected[1], rtol=0, atol=1e-3)
    np.testing.assert_array_equal(read_gallery(Path("data/gallery/gallery.h5"))[0], ids[2:6])
    metrics = json.loads(Path("metrics/attention.json").read_text())
    size = sum(path.stat().st_size for path in Path("data/attention").glob("*.h5"))
    assert metrics == {
        "sequences": 16,
        "bytes": size,
        "bytes_per_sequence": round(size / 16, 1),
        "layers": 2,
        "heads": 4,
        "attention_layers": [0, 1],
        "computed_wider": 0,
        "least_row_sum": 1.0,
    }
    assert not [path for path in Path(".scratch").iterdir() if path.is_dir()]


def test_unknown_continuations_of_any_length_are_made(model, tmp_path, monkeypatch):
    workspace(tmp_path, model, 18, prefix=7, suffix=12)
    monkeypatch.chdir(tmp_path)
    ids, tokens = draw(18, 19)
    is_memorized = np.arange(18) % 3 == 0
    unknown = token_column(np.full((18, 12), UNKNOWN))
    columns = {"sequence_id": ids, "memorization_score": np.where(is_memorized, 1.0, 0.5)}
    write_table(Path("data/score/score.parquet"), pa.table(columns | {"continuation": unknown}))
    attention_stage.main()
    tokens[~is_memorized, 7:] = score(model, tokens, 7, 18, 18).continuation[~is_memorized]
    expected = pooled_attention(model, torch.from_numpy(tokens[2:])).float().numpy()
    found = read_pooled(Path("data/attention"), ids[2:], "mean")
    np.testing.assert_allclose(found, expected[0], rtol=0, atol=1e-3)
    np.testing.assert_array_equal(
        read_gallery(Path("data/gallery/gallery.h5"))[2], tokens[2:6].astype(np.int32)
    )


def test_stage_refuses_a_pool_of_other_sequences(model, tmp_path, monkeypatch):
    workspace(tmp_path, model, count=18)
    monkeypatch.chdir(tmp_path)
    table = pa.table({"sequence_id": np.array([-5]), "gallery": np.array([True])})
    write_table(Path("data/pool/pool.parquet"), table)
    with pytest.raises(UserError, match=r"pool\.parquet has ids"):
        attention_stage.main()


# Imports once, then forks: children run the stage and are killed after random times.
DRIVER = """
import json, os, random, signal, sys, time
from pathlib import Path
import torch
torch.set_num_threads(1)
from guess_or_recall.stages import attention as attention_stage

def start():
    child = os.fork()
    if child == 0:
        attention_stage.main()
        os._exit(0)
    return child

def shards():
    found = Path(".scratch").glob("attention-*/attention/shard-*.h5")
    return {path.name: path.stat().st_mtime_ns for path in found}

draw = random.Random(int(sys.argv[1]))
kills, redone, partial = 0, 0, 0
for wanted in [0, *sorted(draw.sample(range(1, 20), 6))]:  # shards that stand when it is killed
    before = shards()
    child = start()
    while len(shards()) < wanted:
        assert os.waitpid(child, os.WNOHANG) == (0, 0), "ended before it was killed"
        time.sleep(0.0005)
    time.sleep(draw.uniform(0, 0.02))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    kills += 1
    after = shards()
    partial += 0 < len(after) < 20
    redone += any(after[name] != then for name, then in before.items() if name in after)
_, status = os.waitpid(start(), 0)
assert os.WEXITSTATUS(status) == 0
print(json.dumps({"kills": kills, "redone": redone, "partial": partial}))
"""


def test_kill_9_at_random_points_leaves_no_trace_in_the_bytes(model, tmp_path, monkeypatch):
    for name in ("whole", "killed"):
        workspace(tmp_path / name, model)
    monkeypatch.chdir(tmp_path / "whole")
    attention_stage.main()
    result = subprocess.run(
        [sys.executable, "-c", DRIVER, "7"],
        cwd=tmp_path / "killed",
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    counts = json.loads(result.stdout.splitlines()[-1])
    assert counts["kills"] == 7
    assert counts["partial"] >= 3
    assert counts["redone"] == 0
    for name in ("data/attention", "data/gallery", "metrics"):
        found, expected = (bytes_of(tmp_path / run / name) for run in ("killed", "whole"))
        assert found == expected
    assert len(bytes_of(tmp_path / "whole/data/attention")) == 22


def test_parts_of_several_processes_are_merged_to_the_same_bytes(model, tmp_path, monkeypatch):
    """Three processes at once, one killed and begun again; the stage then makes no shard."""
    for name in ("whole", "parts"):
        workspace(tmp_path / name, model)
    monkeypatch.chdir(tmp_path / "whole")
    attention_stage.main()
    monkeypatch.chdir(tmp_path / "parts")
    run = [sys.executable, ROOT / "src" / "run.py", "extract"]
    start = lambda part: subprocess.Popen([*run, part], stderr=subprocess.PIPE, text=True)  # noqa: E731
    parts = [start(part) for part in ("1/3", "2/3", "3/3")]
    parts[1].kill()
    parts.append(start("2/3"))
    for index, process in enumerate(parts):
        said = process.communicate()[1]
        assert process.returncode == (-9 if index == 1 else 0), said
    [folder] = Path(".scratch").glob("attention-*/attention")
    made = {path: path.stat().st_mtime_ns for path in folder.glob("shard-*.h5")}
    assert len(made) == 20
    assert not (folder / "view.h5").exists()
    with monkeypatch.context() as patched:
        patched.setattr(extraction, "pool_shard", None)  # no shard is made again
        attention_stage.main()
    for name in ("attention", "gallery"):
        assert bytes_of(Path("data") / name) == bytes_of(tmp_path / "whole" / "data" / name)
    assert not [path for path in Path(".scratch").iterdir() if path.is_dir()]


@pytest.mark.parametrize("wrong", ["0/2", "3/2", "1", "a/b", "1/0"])
def test_parts_that_are_none(wrong):
    with pytest.raises(UserError, match=f"no part '{wrong}': give 1/4, 2/4"):
        command.main(wrong)
