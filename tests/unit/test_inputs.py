"""What an experiment's clean copy of the commit would lack is named, with ways out that work."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from guess_or_recall.io.scratch import declared_stages
from guess_or_recall.settings.yaml import read_yaml
from guess_or_recall.sweep.inputs import complaint, index, inputs
from tests.conftest import ROOT


def git(*arguments):
    subprocess.run(["git", *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(workspace, monkeypatch):
    """A repository with one tracked file, the working folder; `outside` lies beside it."""
    folder, outside = workspace / "repository", workspace / "outside"
    for place in (folder / "corpus/deep", folder / "mixed", outside):
        place.mkdir(parents=True)
        (place / "a.txt").write_text("text")
    monkeypatch.chdir(folder)
    (folder / ".dvcignore").write_text("__pycache__/\n")
    git("init", "-q")
    git("add", "mixed", ".dvcignore")
    return folder


def said(path):
    return complaint(path, index())


def test_files_that_git_has(repository):
    (repository / "mixed/__pycache__").mkdir()
    (repository / "mixed/__pycache__/a.pyc").touch()  # which DVC does not see
    assert said("mixed") == said("mixed/a.txt") == said("./mixed/") == ""


def test_names_that_are_no_utf8(repository):
    name = os.fsdecode(b"corpus/\xe9.txt")
    Path(name).write_text("text")
    assert "not in git (corpus/" in said("corpus")
    git("add", "-f", "corpus")
    assert name in index() and said("corpus") == said(name) == ""


@pytest.mark.parametrize("ignored", ["", "corpus/", "*.txt"])
def test_a_folder_that_nobody_tracks(repository, ignored):
    Path(".gitignore").write_text(ignored + "\n")
    line = said("corpus")
    assert "not in git (corpus/deep/a.txt), but experiments run in a clean copy" in line
    ways = re.findall("`([^`]+)`", line)
    assert ways == ["dvc add corpus", "git add -f corpus.dvc", "git add -f corpus"]
    git(*shlex.split(ways[-1])[1:])
    assert said("corpus") == said("corpus/deep") == ""


def test_a_folder_that_dvc_tracks(repository):
    Path("corpus.dvc").touch()  # as `dvc add corpus` writes it
    assert re.findall("`([^`]+)`", said("corpus")) == ["git add -f corpus.dvc"]
    git("add", "-f", "corpus.dvc")
    assert said("corpus") == said("corpus/deep/a.txt") == ""


def test_some_files_of_a_folder(repository):
    """DVC takes no folder of which git has a part."""
    for name in ("b", "c", "d"):
        Path("mixed", name).touch()
    line = said("mixed")
    assert "(mixed/b, mixed/c and 1 more)" in line and "dvc add" not in line


def test_paths_that_lead_out(repository):
    assert said("../outside").endswith(f"by its absolute path ({repository.parent / 'outside'})")
    assert said("corpus/../../outside") == said("../outside")
    assert said(str(repository.parent / "outside")) == ""
    assert said(str(repository / "mixed")).endswith("write mixed")
    assert said("gone") == "there is no such file or folder"


@pytest.mark.parametrize("target", ["../outside", "{}/outside", "mixed", "corpus"])
def test_links(repository, target):
    """Git keeps a link as it is: where it points to counts, however it is reached."""
    target = target.format(repository.parent)
    Path("link").symlink_to(target)
    assert "not in git (link)" in said("link") and "dvc add" not in said("link")
    Path("mixed/link").symlink_to(target if os.path.isabs(target) else f"../{target}")
    git("add", "link", "mixed/link")
    lost = {"../outside": "it leads out", "corpus": "not in git (corpus/deep/a.txt)"}.get(target)
    for path in ("link", "mixed", "mixed/link", f"link/{os.listdir(target)[0]}"):
        assert said(path).startswith(lost) if lost else said(path) == "", path


def test_repositories_in_the_repository(repository):
    git("init", "-q", "corpus")
    git("-C", "corpus", "add", ".")
    named = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    git("-C", "corpus", *named, "commit", "-qm", "one")
    assert "git add" not in said("corpus").replace("git add -f corpus.dvc", "")
    git("add", "corpus")
    assert "not in git (corpus)" in said("corpus") and "`" not in said("corpus")


def test_every_path_that_params_yaml_names_is_looked_at():
    params = read_yaml(ROOT / "params.yaml")
    deps = {dep for stage in declared_stages().values() for dep in stage["deps"]}
    keys = {dep[2:-1] for dep in deps if dep.startswith("${")}
    named = inputs(params)
    assert keys == {key for key in named.values() if key} | {"model.path"}  # the same folder
    assert named["models/tiny"] == "sequences.tokenizer.path"
    assert "src/guess_or_recall/stages/model.py" in named and "data/model" not in named
