"""An installation of the package: without a network, and never in the way of a workspace's code."""

import shutil
import site
import tomllib
from pathlib import Path

import pytest

from tests.conftest import ROOT, must

FILES = (
    "pyproject.toml",
    "requirements.txt",
    "LICENSE",
    "README.md",
    "params.yaml",
    "versions.yaml",
    "dvc.yaml",
)


def checkout(folder: Path) -> Path:
    """What an installation needs of this repository, in a folder of its own."""
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("*.egg-info"))
    for name in FILES:
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "profiles", folder / "profiles")
    return folder


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> tuple[Path, str]:
    """A checkout, and the folder of programs of the environment where it is installed."""
    base = tmp_path_factory.mktemp("installed")
    must(base, "python", "-m", "venv", "--without-pip", "environment")
    [packages] = (base / "environment/lib").glob("python*/site-packages")
    (packages / "locked.pth").write_text("\n".join(site.getsitepackages()))
    folder, programs = checkout(base / "checkout"), str(base / "environment/bin")
    options = ["--no-index", "--no-deps", "--no-build-isolation", "--quiet"]
    must(folder, f"{programs}/python", "-m", "pip", "install", *options, "--editable", ".")
    return folder, programs


def test_the_package_is_imported_from_anywhere(installed, tmp_path):
    folder, programs = installed
    show = "import guess_or_recall; print(guess_or_recall.__file__)"
    said = must(tmp_path, f"{programs}/python", "-c", show)
    assert said.strip() == str(folder / "src/guess_or_recall/__init__.py")


def test_a_stage_runs_the_code_of_its_workspace(installed, tmp_path):
    """Not that of the checkout which is installed."""
    workspace = checkout(tmp_path / "workspace")
    stage = workspace / "src/guess_or_recall/stages/features.py"
    stage.write_text("def main():\n    print('of the workspace')\n")
    said = must(workspace, f"{installed[1]}/python", "src/run.py", "features")
    assert "of the workspace" in said


def test_both_programs_are_there(installed, tmp_path):
    names = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert set(names) == {"guess-or-recall", "gor"}
    for name in names:
        assert "sweep" in must(tmp_path, f"{installed[1]}/{name}", "--help")
