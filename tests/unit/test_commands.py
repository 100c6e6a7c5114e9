"""What commands say where they are called in another place, or for what is not there."""

from pathlib import Path

import pytest

from guess_or_recall.attention.hdf5 import opened
from guess_or_recall.commands import tables, track
from guess_or_recall.errors import UserError
from guess_or_recall.settings.profiles import render
from guess_or_recall.settings.yaml import dump_yaml, read_yaml
from guess_or_recall.sweep import experiments
from tests.conftest import ROOT, must


def test_a_profile_outside_of_the_repository(workspace):
    with pytest.raises(UserError, match=r"^profiles/ holds no profiles: run from the repository"):
        render("micro")


def test_a_revision_that_git_does_not_know(workspace):
    must(workspace, "git", "init", "-q")
    with pytest.raises(UserError, match=r"rev-parse nosuch fails: fatal: .*'nosuch'"):
        experiments.existing("nosuch")


def test_tables_of_an_empty_folder(monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(UserError, match=r"no result of sweep rho: run `gor sweep rho --folder non"):
        tables.main(["rho"], folder=Path("none"))


def test_curves_that_wandb_is_not_to_get(workspace):
    content = read_yaml(ROOT / "profiles/default.yaml")
    content["train"]["wandb"] = "disabled"
    Path("params.yaml").write_text(dump_yaml(content))
    with pytest.raises(UserError, match=r"train.wandb = disabled: set it to offline or online to"):
        track.main()


def test_a_folder_in_the_place_of_a_file_of_attention(tmp_path):
    with (
        pytest.raises(UserError, match="is a folder, not a file of HDF5: make it"),
        opened(tmp_path, "make it"),
    ):
        pass
