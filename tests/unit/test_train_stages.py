"""The stages train and evaluate, on an attention store of a few sequences."""

# pandas' stubs take a selected table or column for any of several types
# pyright: reportAttributeAccessIssue=false

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from safetensors.torch import load_file, save_file

from guess_or_recall.attention.store import write_shard, write_view
from guess_or_recall.attention.triangle import packed_size, unpack
from guess_or_recall.classifier.cnn import Architecture, Cnn
from guess_or_recall.classifier.saved import load_cnns
from guess_or_recall.errors import UserError
from guess_or_recall.io import paths
from guess_or_recall.io.files import content_hash
from guess_or_recall.io.schemas import LABELS
from guess_or_recall.io.tables import write_table
from guess_or_recall.settings.params import parse_params, read_params
from guess_or_recall.settings.yaml import dump_yaml, read_yaml
from guess_or_recall.stages import evaluate as evaluate_stage
from guess_or_recall.stages import train as train_stage
from tests.processes import finished
from tests.unit.test_tracking import group_of, inspect

ROOT = Path(__file__).parents[2]
NAMES = np.array(["non-memorized", "guess", "recall"], object)
OUTPUTS = ("data/train", "data/evaluate", "metrics/evaluate.json")


pytestmark = pytest.mark.usefixtures("one_thread")


def write_params(folder, **changes):
    content = read_yaml(ROOT / "params.yaml")
    content["train"] |= {
        "grid": {"kernel": [6], "features": [2], "pooling": ["mean", "max"]},
        "epochs": 2,
        "wandb": "disabled",
    }
    content["evaluate"]["bootstrap"] = 50
    text = dump_yaml(content | changes)
    (folder / "params.yaml").write_text(text)
    return parse_params(text, "here")


def write_labels(ids, labels, part):
    columns = [ids, labels, NAMES[labels], np.asarray(part, object)]
    write_table(paths.LABELS, pa.table(columns, schema=LABELS))


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """24 sequences of 64 tokens with labels, in a store of 30."""
    monkeypatch.chdir(tmp_path)
    write_params(tmp_path)
    write_study(64)
    return tmp_path


def write_study(length):
    random, stored = np.random.default_rng(0), np.arange(100, 400, 10)
    pooled = random.random((2, 30, 3, packed_size(length)), np.float32).astype(np.float16)
    folder = Path("data/attention")
    folder.mkdir(parents=True, exist_ok=True)
    write_shard(folder / "shard-00000.h5", stored, pooled, {"model": "none"})
    write_view(folder, 1, {"model": "none"})
    rows = np.arange(24)
    part = np.where(rows < 12, "train", "eval")
    write_labels(stored[3:27], (rows % 3).astype(np.int8), part)
    return pooled[:, 3:27]


def test_train_then_evaluate(workspace):
    train_stage.main()
    weights = load_file("data/train/cnns.safetensors")
    cnn = Cnn(Architecture(6, 2, "max"), layers=3, classes=3, length=64)
    mine = {key: value for key, value in weights.items() if key.startswith("k6-f2-max/")}
    cnn.load_state_dict({key.removeprefix("k6-f2-max/"): value for key, value in mine.items()})
    logits = load_file("data/train/logits.safetensors")["logits"]
    assert logits.shape == (2, 2, 12, 3)
    described = json.loads(Path("data/train/cnns.json").read_text())
    assert described["classes"] == list(NAMES)
    assert (described["layers"], described["length"]) == (3, 64)
    assert described["grid"]["k6-f2-max"] == {"kernel": 6, "features": 2, "pooling": "max"}
    history = pd.read_csv("data/train/history.csv")
    assert list(history.columns) == [
        *("cnn", "epoch", "train_loss", "eval_loss", "eval_accuracy", "min_f1")
    ]
    assert len(history) == 4
    assert not [path for path in Path(".scratch").iterdir() if path.is_dir()]

    evaluate_stage.main()
    metrics = json.loads(Path("metrics/evaluate.json").read_text())
    assert metrics["eval_loss"] == pytest.approx(history["eval_loss"].mean())
    last = history[history["epoch"] == 2]
    assert metrics["last_epoch"]["eval_loss"] == pytest.approx(last["eval_loss"].mean())
    assert metrics["best_cnn"]["min_f1"] == pytest.approx(last["min_f1"].max())
    assert metrics["min_f1_low"] <= metrics["min_f1_high"]
    assert metrics["above_chance"] == (metrics["last_epoch"]["min_f1_low"] > 1 / 3)
    assert list(metrics["per_class"]["all"]) == list(NAMES)
    assert metrics["min_f1"] == min(row["f1"] for row in metrics["per_class"]["all"].values())
    check_predictions(logits.numpy())


def check_predictions(logits):
    confusion = pd.read_csv("data/evaluate/confusion.csv")
    assert confusion.groupby("epoch")["count"].sum().to_dict() == {"all": 48, "last": 24}
    assert (confusion.groupby(["epoch", "actual"])["count"].sum().loc["last"] == 8).all()
    predictions = pd.read_parquet("data/evaluate/predictions.parquet")
    assert predictions["sequence_id"].tolist() == list(range(250, 370, 10))
    assert predictions["class_name"].tolist() == [*NAMES] * 4
    for index, name in enumerate(("k6-f2-mean", "k6-f2-max")):
        assert predictions[name].tolist() == NAMES[logits[index, 1].argmax(-1)].tolist()
    plotted = pd.read_csv("data/evaluate/predictions.csv")
    assert len(plotted) == 24
    last = confusion[confusion["epoch"] == "last"].set_index(["actual", "predicted"])["count"]
    assert plotted.value_counts().to_dict() == last[last > 0].to_dict()


@pytest.mark.parametrize("length", [48, 100])
def test_saved_cnns_of_other_lengths_give_their_logits_again(workspace, length):
    """Of 32 + 16 and of 50 + 50 tokens."""
    shutil.rmtree("data/attention")
    pooled = write_study(length)
    train_stage.main()
    cnns, classes = load_cnns(Path("data/train"), torch.device("cpu"))
    assert classes == list(NAMES)
    logits = load_file("data/train/logits.safetensors")["logits"]
    for index, (cnn, values) in enumerate(zip(cnns, pooled, strict=True)):
        assert cnn.length == length
        patterns = unpack(torch.from_numpy(values[12:]).float())
        torch.testing.assert_close(cnn(patterns), logits[index, -1], rtol=1e-4, atol=1e-5)


def test_same_bytes_twice(workspace):
    hashes = []
    for _ in range(2):
        train_stage.main()
        evaluate_stage.main()
        hashes.append([content_hash(Path(path)) for path in OUTPUTS])
        shutil.rmtree("data/train")
    assert hashes[0] == hashes[1]


def test_other_parameters_do_not_take_up_old_state(workspace, monkeypatch):
    train_stage.main()
    before = content_hash(Path("data/train"))
    text = (workspace / "params.yaml").read_text()
    (workspace / "params.yaml").write_text(text.replace("train:\n  seed: 42", "train:\n  seed: 43"))
    assert read_params().train.seed == 43
    train_stage.main()
    assert content_hash(Path("data/train")) != before


def test_class_without_evaluation(workspace):
    part = np.array(["train", "eval"] * 6)
    part[np.arange(12) % 3 == 2] = "train"
    write_labels(np.arange(100, 220, 10), (np.arange(12) % 3).astype(np.int8), part)
    with pytest.raises(UserError, match=r"class 'recall' has no sequence in the part 'eval'"):
        train_stage.main()


def test_empty_class(workspace):
    write_labels(np.array([100, 110]), np.array([0, 2], np.int8), ["train", "eval"])
    with pytest.raises(UserError, match=r"classes \[0, 2\].*must have sequences"):
        train_stage.main()
    write_labels(np.array([], np.int64), np.array([], np.int8), [])
    with pytest.raises(UserError, match=r"classes \[\].*must have sequences"):
        train_stage.main()


def test_sequence_without_attention_leaves_earlier_outputs(workspace):
    train_stage.main()
    before = content_hash(Path("data/train"))
    rows = np.arange(12)
    part = np.where(rows < 6, "train", "eval")
    write_labels(rows + 5000, (rows % 3).astype(np.int8), part)
    with pytest.raises(UserError, match="5000"):
        train_stage.main()
    assert content_hash(Path("data/train")) == before


def test_evaluate_refuses_logits_of_other_labels(workspace):
    train_stage.main()
    write_labels(np.arange(4), np.array([0, 1, 0, 1], np.int8), ["train", "train", "eval", "eval"])
    with pytest.raises(UserError, match="12 evaluations of non-memorized, guess, recall"):
        evaluate_stage.main()


def test_evaluate_refuses_logits_of_a_diverged_training(workspace):
    train_stage.main()
    path = Path("data/train/logits.safetensors")
    logits = load_file(path)["logits"]
    logits[0, 0, 0, 0] = np.nan
    save_file({"logits": logits}, path)
    with pytest.raises(
        UserError, match=r"logits.safetensors holds values .* so the training diverged"
    ):
        evaluate_stage.main()


def test_curves_are_reported_again_as_the_same_run_of_a_group(workspace):
    """What was trained without a group is in the sweep's, once; other variants stay."""
    code = """
import sys
from guess_or_recall.settings.params import read_params
from guess_or_recall.tracking import runs
from guess_or_recall.stages import train
params = read_params().model_copy(update={"taxonomy": "recite", "delta": int(sys.argv[1])})
params = params.model_copy(update={"train": params.train.model_copy(update={"wandb": "offline"})})
if sys.argv[2:]:
    runs.report_again(params, sys.argv[2])
else:
    train.reporting = lambda: runs.reporting(params)
    train.main()
"""
    environment = {key: value for key, value in os.environ.items() if "WANDB" not in key}
    for arguments in (["5"], ["50"], ["50", "rho"]):
        done = finished(workspace, ("-c", code, *arguments), environment)
        assert done.returncode == 0, done.stderr
    files = list(workspace.glob("wandb/offline-run-*/run-*.wandb"))
    assert sorted(map(group_of, files), key=str) == [None, "rho"]
    [run] = [path for path in files if group_of(path) == "rho"]
    lines = [json.loads(line) for line in inspect(run).splitlines()]
    rows = [line["history"]["item"] for line in lines if line["type"] == "history"]
    history = pd.read_csv(paths.HISTORY).to_dict("records")
    assert len(rows) == len(history) == 4
    for row, expected in zip(rows, history, strict=True):
        assert row[f"{expected['cnn']}/eval_loss"] == expected["eval_loss"]
