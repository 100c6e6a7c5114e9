"""The whole pipeline under real DVC, on the micro profile, without a network."""

# pandas' stubs take a selected table or column for any of several types
# pyright: reportArgumentType=false, reportCallIssue=false, reportGeneralTypeIssues=false
# pyright: reportIndexIssue=false, reportOperatorIssue=false

import contextlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import run as program
from guess_or_recall.commands import notes, plan, sequence
from guess_or_recall.errors import UserError, say_once
from guess_or_recall.io.files import existing
from guess_or_recall.io.scratch import declared_stages
from guess_or_recall.settings.yaml import dump_yaml, read_yaml
from tests.conftest import copy_of, must, run, run_stages, stages
from tests.unit.test_dvc_yaml import NO_RESULT

STAGES = stages()


@pytest.fixture(scope="module")
def repository(micro, tmp_path_factory):
    """The micro study after `dvc repro`."""
    return copy_of(micro, tmp_path_factory.mktemp("clone"))


def stages_run(output: str) -> list[str]:
    return [stage for stage in STAGES if f"Running stage '{stage}'" in output]


def read(folder: Path, metrics: str) -> dict:
    return json.loads((folder / "metrics" / f"{metrics}.json").read_text())


def test_every_stage_leaves_its_results(repository):
    assert read(repository, "score")["memorized"] > 0
    label, evaluate = read(repository, "label"), read(repository, "evaluate")
    assert set(label["sampled"]) == {"non-memorized", "guess", "recall"}
    assert 0 <= evaluate["min_f1_low"] <= evaluate["min_f1"] <= evaluate["min_f1_high"] <= 1
    assert read(repository, "localize")["sequences"] == dict.fromkeys(label["sampled"], 4)
    assert read(repository, "ablate")["classes"]["recall"]["extractable"] == 1
    for name in (
        "taxonomy_flow",
        "attention_gallery",
        "confusion",
        "delta_maps",
        "ablation_curves",
    ):
        for kind in ("png", "pdf"):
            assert (repository / "figures" / f"{name}.{kind}").stat().st_size > 1000


def test_labels_are_not_the_planting(repository):
    """Classes come from score and features alone: recompute them without the planting."""
    folder = repository / "data"
    frame = pd.read_parquet(folder / "features/features.parquet").merge(
        pd.read_parquet(folder / "score/score.parquet"), on="sequence_id"
    )
    frame = frame.merge(pd.read_parquet(folder / "label/labels.parquet"), on="sequence_id")
    guess = frame.is_incrementing | frame.is_repeating
    guess |= (frame.rouge_l >= 0.5) | (frame.rouge_3 >= 0.5)
    expected = (frame.memorization_score == 1).astype(int) * (2 - guess.astype(int))
    assert frame.label.tolist() == expected.tolist()


def test_an_ablated_model_reproduces_less_and_one_left_whole_as_scored(repository):
    table = pd.read_csv(repository / "data/ablate/ablation.csv", dtype={"layers": str})
    extractable = table[table["class"] != "non-memorized"].groupby("how")["extractable"].mean()
    assert extractable["whole"] == 1
    assert extractable["off"] < 1
    assert set(table["how"]) == {
        "whole", "off", "only-diagonal", "all-but-diagonal", "only-prefix-to-suffix",
        "all-but-prefix-to-suffix",
    }  # fmt: skip


def test_one_sequence(repository, monkeypatch, capsys):
    """By its id, and by its text: the same classes, features and chances; mistakes in a line."""
    folder = repository / "data"
    sequences = pd.read_parquet(folder / "sequences/sequences.parquet")
    labels = pd.read_parquet(folder / "label/labels.parquet")
    chosen = labels[labels.class_name == "recall"].sequence_id.iloc[0]
    said = must(repository, "python", "src/run.py", "sequence", str(chosen))
    assert "memorized (32-extractable), memorization score 1.00" in said
    assert "none → recall" in said
    assert (repository / f"results/sequence_{chosen}.png").stat().st_size > 10_000
    text = sequences.set_index("sequence_id").text[chosen]
    monkeypatch.chdir(repository)
    sequence.main(text, layer=1)
    told = capsys.readouterr().out
    strip = [line for line in said.splitlines() if "sequence_duplicates" in line or "│" in line]
    assert strip == [line for line in told.splitlines() if line in strip]
    for wrong, message in (
        (("987654321",), "no sequence has the id 987654321"),
        (("a few words",), "64 are needed: a prefix of 32 and a suffix of 32"),
        ((str(chosen), 2), "the model has attention in the layers 0, 1"),
    ):
        with pytest.raises(UserError, match=message):
            sequence.main(*wrong)


def damages(content: bytes, places: int) -> list[bytes]:
    """A file cut off, emptied, and with one bit flipped at each of some places."""
    draw = np.random.default_rng(len(content))
    damaged = [content[: len(content) // 2], b""]
    for place, bit in zip(draw.integers(0, len(content), places), range(places), strict=True):
        flipped = bytes([content[place] ^ (1 << bit % 8)])
        damaged.append(content[:place] + flipped + content[place + 1 :])
    return damaged


def test_damaged_files_are_named_and_never_read(repository, monkeypatch):
    """Every file of data/ but the HDF5 files, which have such a test of their own."""
    monkeypatch.chdir(repository)
    readers = {
        dep: stage
        for stage, declared in declared_stages().items()
        for dep in declared["deps"]
        if dep.startswith("data/")
    }
    files = [path for path in Path("data").rglob("*") if path.is_file() and path.suffix != ".h5"]
    assert len(files) > 30
    for path in files:
        content = path.read_bytes()
        for damaged in damages(content, 10):
            path.write_bytes(damaged)
            if path.name == "checksums.json":  # of which a space may be another one
                with contextlib.suppress(UserError):
                    existing(path.parent)
            else:
                with pytest.raises(UserError, match=f"^{path} is damaged: .*`dvc checkout "):
                    existing(path)
        for dep, stage in readers.items():  # which stops before it does anything
            if path.name != "checksums.json" and Path(dep) in (path, *path.parents):
                with pytest.raises(UserError, match=f"{path} is damaged"):
                    program.run_stage(stage)
        path.write_bytes(content)
    assert "up to date" in must(repository, "dvc", "status")


def test_a_damaged_file_is_brought_back_as_its_error_says(repository):
    path = repository / "data/label/labels.parquet"
    content = path.read_bytes()
    path.write_bytes(content[:-9])
    said = run(repository, "python", "src/run.py", "evaluate").stderr
    [line] = [line for line in said.splitlines() if line.startswith("error in evaluate:")]
    assert "data/label/labels.parquet is damaged" in line
    must(repository, "bash", "-euc", re.findall("`(dvc checkout[^`]*)`", line)[0])
    assert path.read_bytes() == content


def test_nothing_runs_again_unchanged(repository):
    assert stages_run(must(repository, "dvc", "repro")) == []


def test_what_changes_no_result_runs_nothing_again(repository):
    """Batch sizes, shards and wandb: all of them changed at once; one other value, and it would."""
    path = repository / "params.yaml"
    before = path.read_text()
    content = read_yaml(path)
    for key in sorted(
        NO_RESULT - {"attention.gallery", "pool.taxonomies", "pool.deltas", "pool.rhos"}
    ):
        section, name = key.split(".")
        content[section][name] = "offline" if name == "wandb" else 3
    path.write_text(dump_yaml(content))
    assert "up to date" in must(repository, "dvc", "status")
    content["train"]["dropout"] = 0.25
    path.write_text(dump_yaml(content))
    changed = json.loads(must(repository, "dvc", "status", "--json"))
    assert list(changed) == ["train"]
    path.write_text(before)


def test_a_second_run_gives_the_same_bytes(repository, capsys):
    """Of all stages, from nothing, without DVC; what they say to a reader, `gor notes` says."""
    for name in ("data", "metrics", "figures"):
        shutil.rmtree(repository / name)
    say_once.cache_clear()
    run_stages(repository, *STAGES)
    said = "".join(capsys.readouterr()).splitlines()
    with contextlib.chdir(repository):
        notes.main()
    noted = capsys.readouterr().out.splitlines()
    warned = [line for line in said if line.startswith(("note: model", "warning: "))]
    assert {*warned} <= {*noted} <= {*said} and len(warned) >= 2
    assert "up to date" in must(repository, "dvc", "status")
    assert must(repository, "git", "status", "--porcelain", "-uno") == ""


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("taxonomy", "gess", "guess"),
        ("delta", -1, "delta = -1"),
        ("rho", 1.5, "rho = 1.5"),
        ("train.epochs", 0, "train.epochs = 0"),
        ("taxonomy", "reconstruct", "class 'reconstruct' is empty"),
    ],
)
def test_a_users_mistake_is_one_line(repository, setting, value, message):
    path = repository / "params.yaml"
    before = path.read_text()
    content = read_yaml(path)
    section, _, key = setting.rpartition(".")
    (content[section] if section else content)[key] = value
    path.write_text(dump_yaml(content))
    done = run(repository, "python", "src/run.py", "label")
    path.write_text(before)
    assert_one_line(done, message)


def test_a_users_mistake_is_one_line_under_dvc(repository):
    done = run(repository, "dvc", "exp", "run", "--temp", "-S", "taxonomy=reconstruct")
    assert_one_line(done, "class 'reconstruct' is empty")


def assert_one_line(done: subprocess.CompletedProcess, message: str) -> None:
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "Traceback" not in said
    lines = [line for line in said.splitlines() if line.startswith("error in")]
    assert len(lines) == 1 and message in lines[0]


def test_a_plan_before_and_after(repository, capsys):
    """Exact where features are; at most, before; with times from a trial."""
    folder = repository.parent / "planned"
    shutil.copytree(repository, folder, symlinks=True, ignore=shutil.ignore_patterns("data"))
    said = []
    for place in (folder, repository):
        with contextlib.chdir(place):
            plan.main(no_trial=False)
        said.append(capsys.readouterr().out)
    before, after = said
    assert "at most (exact once `dvc repro features` has run)" in before
    union = read(repository, "pool")["sequences"]
    assert f"their union is {union} sequences, their sum" in after
    assert "at most" not in after.replace("continuations (at most)", "")
    for line in ("attention", "train, all variants", "disk: ", "memory: "):
        assert line in before and line in after
