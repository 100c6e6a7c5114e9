"""The stage `attention`: what it writes, what a kill leaves, parts of several processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from guess_or_recall.attention import extract as extraction
from guess_or_recall.attention.gallery import read_gallery
from guess_or_recall.attention.pooling import pooled_attention
from guess_or_recall.attention.reading import read_pooled
from guess_or_recall.commands import extract as command
from guess_or_recall.errors import UserError
from guess_or_recall.io.tables import token_column, write_table
from guess_or_recall.model.scoring import UNKNOWN, score
from guess_or_recall.settings.yaml import dump_yaml, read_yaml
from guess_or_recall.stages import attention as attention_stage
from tests.conftest import ROOT
from tests.extraction import bytes_of, draw, tiny_model, workspace
from tests.processes import start


@pytest.fixture(scope="module")
def model():
    return tiny_model()


@pytest.mark.parametrize(("prefix", "suffix"), [(32, 32), (32, 16), (5, 8)])
def test_stage(model, tmp_path, monkeypatch, prefix, suffix):
    pool = workspace(tmp_path, model, 18, prefix, suffix)
    monkeypatch.chdir(tmp_path)
    attention_stage.main()
    ids, tokens = draw(18, prefix + suffix)
    tokens[np.arange(18) % 3 != 0, prefix:] = 39 - tokens[np.arange(18) % 3 != 0, prefix:]
    expected = pooled_attention(model, torch.from_numpy(tokens[2:])).float().numpy()
    stored = read_pooled(Path("data/attention"), pool, "max")
    np.testing.assert_allclose(stored, expected[1], rtol=0, atol=1e-3)
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
    stored = read_pooled(Path("data/attention"), ids[2:], "mean")
    np.testing.assert_allclose(stored, expected[0], rtol=0, atol=1e-3)
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


@pytest.mark.parametrize(("first", "second"), [(4, 7), (4, 3), (5, 200)])
def test_a_killed_run_is_taken_up_with_shards_and_batches_of_another_size(
    model, tmp_path, monkeypatch, first, second
):
    """The folder of the work is the same one, and no shard of the first size stays in it."""
    for name in ("whole", "killed"):
        workspace(tmp_path / name, model, 27)
    monkeypatch.chdir(tmp_path / "whole")
    set_sizes(second, batch=2)
    attention_stage.main()
    monkeypatch.chdir(tmp_path / "killed")
    set_sizes(first, batch=2)
    run_and_kill(monkeypatch)
    [folder] = Path(".scratch").glob("attention-*/attention")
    assert len([*folder.glob("shard-*.h5")]) == -(-24 // first)
    set_sizes(second, batch=3)
    run_and_kill(monkeypatch)
    assert [*Path(".scratch").glob("attention-*/attention")] == [folder]
    set_sizes(second, batch=2)
    attention_stage.main()
    for name in ("attention", "gallery"):
        assert bytes_of(Path("data") / name) == bytes_of(tmp_path / "whole" / "data" / name)


def run_and_kill(monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(extraction, "write_view", interrupt)  # once all shards are there
        with pytest.raises(KeyboardInterrupt):
            attention_stage.main()


def set_sizes(shard, batch):
    params = read_yaml(Path("params.yaml"))
    params["attention"] |= {"shard": shard, "batch": batch}
    Path("params.yaml").write_text(dump_yaml(params))


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
        files, expected = (bytes_of(tmp_path / run / name) for run in ("killed", "whole"))
        assert files == expected
    assert len(bytes_of(tmp_path / "whole/data/attention")) == 22


def test_parts_of_several_processes_are_merged_to_the_same_bytes(model, tmp_path, monkeypatch):
    """Three processes at once, one killed and begun again; the stage then makes no shard."""
    for name in ("whole", "parts"):
        workspace(tmp_path / name, model)
    monkeypatch.chdir(tmp_path / "whole")
    attention_stage.main()
    monkeypatch.chdir(tmp_path / "parts")
    command = (str(ROOT / "src" / "run.py"), "extract")
    parts = [start(Path(), (*command, part), os.environ) for part in ("1/3", "2/3", "3/3")]
    parts[1].kill()
    parts.append(start(Path(), (*command, "2/3"), os.environ))
    for index, process in enumerate(parts):
        assert process.wait() == (-9 if index == 1 else 0), process.said()
    [folder] = Path(".scratch").glob("attention-*/attention")
    times = {path: path.stat().st_mtime_ns for path in folder.glob("shard-*.h5")}
    assert len(times) == 20
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
